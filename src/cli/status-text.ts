// The state of a provisioner for people: a row for each pool, and below it what keeps a pool from doing more.
import type { FleetStatus, PoolOverview } from '../http/pool-view.ts'
import type { ReasonView } from '../http/reason-view.ts'
import { age } from './age.ts'
import { table } from './table.ts'

const head = ['POOL', 'PROVIDER', 'STATE', 'VMS', 'JOINED', 'MIN', 'MAX', 'WAITING', 'FREE SLOTS']

export function statusLines(status: FleetStatus): string[] {
  const { version, clusterId, demand, startedAt, now, pools } = status
  const notes = pools.flatMap((pool) =>
    notesOf(pool).map(([words, remedy]) => [`${pool.pool}: ${words}`, remedy]),
  )
  return [
    `provisioner ${version}, cluster ${clusterId}, demand ${demand}, up ${age(now - startedAt)}`,
    '',
    ...table(head, pools.map(rowOf)),
    ...(notes.length > 0 ? [''] : []),
    ...notes.flatMap(([words, remedy]) => [words!, ...(remedy ? [`  ${remedy}`] : [])]),
  ]
}

function rowOf(pool: PoolOverview): string[] {
  if (pool.state === 'failed') return [pool.pool, pool.provider, 'failed', ...Array(6).fill('-')]
  const coming = pool.inFlight > 0 ? `${pool.live}+${pool.inFlight}` : String(pool.live)
  return [
    pool.pool,
    pool.provider,
    pool.state,
    coming,
    String(pool.joined),
    String(pool.minInstances),
    String(pool.maxInstances),
    String(pool.pending),
    `${pool.freeSlots} of ${pool.slots}`,
  ]
}

/** Each with what to do about it. What is behind a hold is not told a second time. */
function notesOf(pool: PoolOverview): [words: string, remedy: string | undefined][] {
  const held = pool.state === 'failed' ? [] : pool.holds
  const behind = new Set(held.flatMap(({ problem }) => (problem ? [problem.code] : [])))
  const rest = pool.problems.filter(({ code }) => !behind.has(code))
  return [
    ...held.map(noteOf),
    ...rest.map(({ code, message, remedy }): [string, string] => [`${code} ${message}`, remedy]),
  ]
}

function noteOf({ code, meaning, remedy, numbers, problem }: ReasonView): [string, string | undefined] {
  // The problem of the same code says what its meaning says, and what happened this time.
  if (problem?.code === code) return [`${code} ${problem.message}`, problem.remedy]
  const because = problem ? ` ${problem.code} ${problem.message}` : ''
  const counted = Object.entries(numbers)
    .filter(([name]) => !/At$/.test(name))
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
  return [`${code} ${meaning}${counted && ` (${counted})`}${because}`, problem?.remedy ?? remedy]
}
