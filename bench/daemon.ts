// The process a user runs: memory, processor time, calls and holds of the real daemon with one AWS pool.
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallCounts } from './aws-server.ts'
import { callText, launched, measured, mib, minute, overTime, settling, shown } from './daemon-period.ts'
import type { Hold } from './daemon-process.ts'
import type { Report, Row } from './measure.ts'

const sizes = [1000, 10_000]
/** Thresholds of the design, in MiB and milliseconds. */
const budgets = { idle: 90, steady: 200, peak: 260, hold: 20 }

export async function daemonCosts(): Promise<Report> {
  const rows: Row[] = []
  for (const size of sizes) rows.push(...(await withInstances(size)).map(shown))
  return {
    title: 'Daemon',
    command: 'npm run bench daemon',
    rows,
    notes: [
      'The built program in its own process, with its built-in master and AWS pools, against the fake EC2 in another process: instances as verbose as real ones (4 KB of XML), pages of 1,000, over HTTP. No instance ever joins. Memory is VmRSS and VmHWM of /proc; Node alone takes 42 MiB.',
      'A hold is the longest time between two timers of 5 ms, less 5 ms: wall time, and the processor time of the main thread in it. On a busy machine the first is larger; the budget is for the second.',
    ],
  }
}

/** One pool without and with instances: memory, processor time, calls, holds. */
function withInstances(size: number): Promise<Row[]> {
  const idle = { pools: 1, instances: 0, bootTimeout: '1h' }
  return measured(idle, 0, async (daemon) => {
    await sleep(settling)
    const empty = daemon.usage()
    daemon.resetPeak()
    daemon.toggleHolds()
    const launchedAt = Date.now()
    daemon.reconfigure({ ...idle, instances: size })
    await launched(daemon, size)
    // Until the second listing after the launch.
    await sleep(settling)
    const during = daemon.holdsSince(launchedAt)
    const steadyAt = Date.now()
    await sleep(minute)
    const steady = daemon.holdsSince(steadyAt)
    daemon.toggleHolds()
    const over = await overTime(daemon, 1.5 * minute)
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
        what: `longest hold of the event loop, ${what}: launch; a minute later`,
        measured: `${holdText(during)}; ${holdText(steady)}`,
        budget: `${budgets.hold} ms of processor time`,
        met: Math.max(during.cpu, steady.cpu) <= budgets.hold,
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

function perMinute(calls: CallCounts, ms: number): string {
  return callText(
    Object.fromEntries(
      Object.entries(calls).map(([action, count]) => [action, Math.round((count * minute) / ms)]),
    ),
  )
}

function holdText({ wall, cpu, long }: Hold): string {
  return `${wall.toFixed(0)} ms (processor ${cpu.toFixed(0)} ms), ${long} over ${budgets.hold}`
}
