// The process a user runs: memory, processor time, calls and terminations of the real daemon with AWS pools.
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallCounts } from './aws-server.ts'
import { type BenchDaemon, startDaemon, type Usage, until } from './daemon-process.ts'
import type { Report, Row } from './measure.ts'

/** Milliseconds that EC2 takes for an answer: none, a usual one, a slow one. */
const latencies = [0, 160, 500]
const sizes = [1000, 10_000]
const poolCounts = [1, 20, 100]
const minute = 60_000
/** From the start until the first listings and their compilation are over. */
const settling = 30_000
const launching = 5 * minute
/** In a configuration, and in milliseconds. */
const shortBoot = { text: '1m', ms: minute }

/** Thresholds of the design, in MiB and milliseconds. */
const budgets = { idle: 90, steady: 200, peak: 260, hold: 20, idleCalls: 0.2 }

export async function daemonCosts(): Promise<Report> {
  if (process.platform !== 'linux') throw new Error('the daemon is measured by /proc, which only Linux has')
  const rows: Row[] = []
  for (const size of sizes) rows.push(...(await withInstances(size)))
  for (const latency of latencies) for (const size of sizes) rows.push(await terminations(size, latency))
  for (const pools of poolCounts) rows.push(...(await withPools(pools)))
  return {
    title: 'Daemon',
    command: 'npm run bench daemon',
    rows,
    notes: [
      'The built program in its own process, with its built-in master and AWS pools, against the fake EC2 in another process: instances as verbose as real ones (4 KB of XML), pages of 1,000, over HTTP. No instance ever joins. Memory is VmRSS and VmHWM of /proc; V8 and Node alone take 42 MiB.',
      'A hold is the longest time between two timers of 5 ms, less 5 ms: wall time, and the processor time of the main thread in it. On a busy machine the first is larger; the budget is for the second.',
    ],
  }
}

async function measured<T>(
  order: Parameters<typeof startDaemon>[0],
  latency: number,
  measure: (daemon: BenchDaemon) => Promise<T>,
): Promise<T> {
  const daemon = await startDaemon(order, latency)
  try {
    return await measure(daemon)
  } catch (error) {
    console.error(daemon.log().split('\n').slice(-20).join('\n'))
    throw error
  } finally {
    await daemon.stop()
  }
}

/** One pool without and with instances: memory, processor time, calls, holds. */
function withInstances(size: number): Promise<Row[]> {
  const idle = { pools: 1, instances: 0, bootTimeout: '1h' }
  return measured(idle, 0, async (daemon) => {
    await sleep(settling)
    const empty = daemon.usage()
    daemon.resetPeak()
    const launchedAt = Date.now()
    daemon.reconfigure({ ...idle, instances: size })
    await launched(daemon, size)
    // Until the second listing after the launch.
    await sleep(settling)
    const during = daemon.holdsSince(launchedAt)
    const over = await overTime(daemon, 2 * minute)
    const what = `${size.toLocaleString('en-US')} instances`
    const rows: Row[] = [
      {
        what: `memory, one pool with ${what}`,
        measured: `${mib(over.after.rss)} steady, ${mib(over.after.peak)} peak`,
        budget: `${budgets.steady} steady, ${budgets.peak} peak`,
        met: over.after.rss <= budgets.steady && over.after.peak <= budgets.peak,
      },
      {
        what: `processor time and calls per minute with ${what}`,
        measured: `${(over.cpu / 1000).toFixed(1)} s; ${perMinute(over.calls, over.ms)}`,
        budget: '',
      },
      {
        what: `longest hold of the event loop, ${what}: launch, then steady`,
        measured: `${holdText(during)}; ${holdText(over.holds)}`,
        budget: `${budgets.hold} ms of processor time`,
        met: Math.max(during.cpu, over.holds.cpu) <= budgets.hold,
      },
    ]
    if (size === sizes[0])
      rows.unshift({
        what: 'memory, one pool without instances',
        measured: mib(empty.rss),
        budget: `${budgets.idle}`,
        met: empty.rss <= budgets.idle,
      })
    return rows
  })
}

/** Instances that never join are terminated after their boot timeout, however long a listing takes. */
function terminations(size: number, latency: number): Promise<Row> {
  const order = { pools: 1, instances: size, bootTimeout: shortBoot.text }
  return measured(order, latency, async (daemon) => {
    await launched(daemon, size)
    const due = Date.now() + shortBoot.ms
    const ids = async () => (await daemon.cloud()).terminated
    const first = await until(async () => (await ids()) > 0, shortBoot.ms + launching)
    const firstAt = Date.now()
    await until(async () => (await ids()) >= size, launching)
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

/** Many pools of one account and region, idle, and with ten launching instances in each. */
function withPools(pools: number): Promise<Row[]> {
  const idle = { pools, instances: 0, bootTimeout: '1h' }
  return measured(idle, 0, async (daemon) => {
    // A pool is quiet a minute after its last change.
    await sleep(settling + minute)
    const quiet = await overTime(daemon, minute)
    daemon.reconfigure({ ...idle, instances: 10 })
    const from = (await daemon.cloud()).calls
    const launchedAt = Date.now()
    await launched(daemon, 10 * pools)
    const launch = `launched by ${callText(minus((await daemon.cloud()).calls, from))} in ${((Date.now() - launchedAt) / 1000).toFixed(0)} s`
    const busy = await overTime(daemon, minute)
    const row = (what: string, { calls, ms, after, cpu }: Period): Row => ({
      what,
      measured: `${(total(calls) / (ms / 1000)).toFixed(2)} calls/s; ${mib(after.rss)}; ${(cpu / 1000).toFixed(1)} s processor time per minute`,
      budget: '',
    })
    const withBudget = {
      budget: `${budgets.idleCalls} calls/s`,
      met: total(quiet.calls) / (quiet.ms / 1000) <= budgets.idleCalls,
    }
    const busyRow = row(`${pools} busy pools, ten instances each`, busy)
    return [
      { ...row(`${pools} idle pools`, quiet), ...(pools === 100 ? withBudget : {}) },
      { ...busyRow, measured: `${busyRow.measured}; ${launch}` },
    ]
  })
}

async function launched(daemon: BenchDaemon, count: number): Promise<void> {
  const took = await until(async () => (await daemon.cloud()).instances >= count, launching)
  if (took === undefined)
    throw new Error(`${(await daemon.cloud()).instances} of ${count} instances were launched in 5 minutes`)
}

interface Period {
  after: Usage
  /** Milliseconds of processor time, for a minute. */
  cpu: number
  calls: CallCounts
  ms: number
  holds: ReturnType<BenchDaemon['holdsSince']>
}

async function overTime(daemon: BenchDaemon, ms: number): Promise<Period> {
  const { calls } = await daemon.cloud()
  const [before, from] = [daemon.usage(), Date.now()]
  await sleep(ms)
  const after = daemon.usage()
  return {
    after,
    cpu: ((after.cpu - before.cpu) / (after.at - before.at)) * minute,
    calls: minus((await daemon.cloud()).calls, calls),
    ms: Date.now() - from,
    holds: daemon.holdsSince(from),
  }
}

function minus(all: CallCounts, before: CallCounts): CallCounts {
  return Object.fromEntries(
    Object.entries(all).map(([action, count]) => [action, count - (before[action] ?? 0)]),
  )
}

function total(calls: CallCounts): number {
  return Object.values(calls).reduce((sum, count) => sum + count, 0)
}

function callText(calls: CallCounts): string {
  const made = Object.entries(calls).filter(([, count]) => count > 0)
  return made.map(([action, count]) => `${count} ${action}`).join(', ') || 'none'
}

function perMinute(calls: CallCounts, ms: number): string {
  return callText(
    Object.fromEntries(
      Object.entries(calls).map(([action, count]) => [action, Math.round((count * minute) / ms)]),
    ),
  )
}

function mib(value: number): string {
  return `${value.toFixed(0)} MiB`
}

function holdText({ wall, cpu }: { wall: number; cpu: number }): string {
  return `${wall.toFixed(0)} ms (processor ${cpu.toFixed(0)} ms)`
}
