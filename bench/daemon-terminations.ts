// Whether, and when, the real daemon terminates instances that never join, while EC2 answers slowly.
import { launched, measured, minute, patience, shown } from './daemon-period.ts'
import { until } from './daemon-process.ts'
import type { Report, Row } from './measure.ts'

/** Milliseconds that EC2 takes for an answer: none, a usual one, a slow one. */
const latencies = [0, 160, 500]
const sizes = [1000, 10_000]
/** In a configuration, and in milliseconds. */
const shortBoot = { text: '1m', ms: minute }

export async function daemonTerminations(): Promise<Report> {
  const rows: Row[] = []
  for (const size of sizes)
    for (const latency of latencies) rows.push(shown(await terminations(size, latency)))
  return {
    title: 'Terminations of the daemon',
    command: 'npm run bench daemon-terminations',
    rows,
    notes: [
      'The built program in its own process, with its built-in master and AWS pools, against the fake EC2 in another process: instances as verbose as real ones (4 KB of XML), pages of 1,000, over HTTP. No instance ever joins. The latency is added to every answer. Ten thousand are launched in parts: they are due when the last part is, and the first parts are due before that.',
    ],
  }
}

/** Instances that never join are terminated after their boot timeout, however long a listing takes. */
function terminations(size: number, latency: number): Promise<Row> {
  const order = { pools: 1, instances: size, bootTimeout: shortBoot.text }
  return measured(order, latency, async (daemon) => {
    await launched(daemon, size)
    const due = Date.now() + shortBoot.ms
    const ids = async () => (await daemon.cloud()).terminated
    const first = await until(async () => (await ids()) > 0, shortBoot.ms + patience)
    const firstAt = Date.now()
    await until(async () => (await ids()) >= size, patience)
    const done = await ids()
    const seconds = (at: number) => `${((at - due) / 1000).toFixed(0)} s`
    return {
      what: `terminate ${size.toLocaleString('en-US')} that did not join, ${latency} ms for an answer`,
      measured:
        first === undefined
          ? 'never'
          : `first ${seconds(firstAt)} after they were due, ${done.toLocaleString('en-US')} after ${seconds(Date.now())}`,
      budget: 'all',
      met: done >= size,
    }
  })
}
