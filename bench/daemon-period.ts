// What the benchmarks of the daemon share: a daemon that is stopped whatever happens, and what a period of it costs.
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallCounts } from './aws-server.ts'
import { type BenchDaemon, startDaemon, type Usage, until } from './daemon-process.ts'
import type { Row } from './measure.ts'

/** Milliseconds. */
export const minute = 60_000
/** From the start until the first listings and their compilation are over. */
export const settling = 30_000
/** The longest that a launch, or a termination, may take. */
export const patience = 5 * minute

export async function measured<T>(
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

/** Each row as soon as it is there: the whole takes many minutes. */
export function shown(row: Row): Row {
  console.error(`${row.what}: ${row.measured}`)
  return row
}

export async function launched(daemon: BenchDaemon, count: number): Promise<void> {
  const took = await until(async () => (await daemon.cloud()).instances >= count, patience)
  if (took === undefined)
    throw new Error(`${(await daemon.cloud()).instances} of ${count} instances were launched in 5 minutes`)
}

export interface Period {
  after: Usage
  /** Milliseconds of processor time, for a minute. */
  cpu: number
  calls: CallCounts
  ms: number
}

export async function overTime(daemon: BenchDaemon, ms: number): Promise<Period> {
  const { calls } = await daemon.cloud()
  const [before, from] = [daemon.usage(), Date.now()]
  await sleep(ms)
  const after = daemon.usage()
  return {
    after,
    cpu: ((after.cpu - before.cpu) / (after.at - before.at)) * minute,
    calls: minus((await daemon.cloud()).calls, calls),
    ms: Date.now() - from,
  }
}

export function minus(all: CallCounts, before: CallCounts): CallCounts {
  return Object.fromEntries(
    Object.entries(all).map(([action, count]) => [action, count - (before[action] ?? 0)]),
  )
}

export function total(calls: CallCounts): number {
  return Object.values(calls).reduce((sum, count) => sum + count, 0)
}

export function callText(calls: CallCounts): string {
  const made = Object.entries(calls).filter(([, count]) => count > 0)
  return made.map(([action, count]) => `${count} ${action}`).join(', ') || 'none'
}

export function mib(value: number): string {
  return `${value.toFixed(0)} MiB`
}
