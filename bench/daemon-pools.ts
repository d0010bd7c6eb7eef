// What the real daemon costs with many AWS pools of one account and region: calls, memory and processor time.
import { setTimeout as sleep } from 'node:timers/promises'
import {
  callText,
  launched,
  measured,
  mib,
  minus,
  minute,
  overTime,
  type Period,
  settling,
  shown,
  total,
} from './daemon-period.ts'
import type { Report, Row } from './measure.ts'

const poolCounts = [1, 20, 100]
/** Of the design: calls per second of 100 idle pools. */
const idleCalls = 0.2

export async function daemonPools(): Promise<Report> {
  const rows: Row[] = []
  for (const pools of poolCounts) rows.push(...(await withPools(pools)).map(shown))
  return {
    title: 'Pools of the daemon',
    command: 'npm run bench daemon-pools',
    rows,
    notes: [
      'The built program in its own process, with its built-in master and AWS pools, against the fake EC2 in another process: instances as verbose as real ones (4 KB of XML), pages of 1,000, over HTTP. No instance ever joins.',
    ],
  }
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
      budget: `${idleCalls} calls/s`,
      met: total(quiet.calls) / (quiet.ms / 1000) <= idleCalls,
    }
    const busyRow = row(`${pools} busy pools, ten instances each`, busy)
    return [
      { ...row(`${pools} idle pools`, quiet), ...(pools === 100 ? withBudget : {}) },
      { ...busyRow, measured: `${busyRow.measured}; ${launch}` },
    ]
  })
}
