// Reports about orphans, which belong to no configured pool: ids, age, writer, what happens to them and the command to type.

import type { OrphanRules } from '../planner/index.ts'
import { formatDuration } from '../platform/index.ts'
import { type Problem, problem } from '../problems/index.ts'
import type { ClusterLocation } from '../state/index.ts'
import type { FoundOrphan } from './orphans.ts'

/** More are counted, not named. */
const mostNamed = 20

/** One for each pool, location and writer. */
export function goneProblems(orphans: readonly FoundOrphan[], rules: OrphanRules): Problem[] {
  const groups = new Map<string, FoundOrphan[]>()
  for (const orphan of orphans) {
    const { pool, isOwn, writerId } = orphan
    const key = JSON.stringify([pool, locationOf(orphan), isOwn || writerId])
    groups.set(key, [...(groups.get(key) ?? []), orphan])
  }
  return [...groups.values()].map((group) => goneProblem(group, rules))
}

function goneProblem(group: readonly FoundOrphan[], rules: OrphanRules): Problem {
  const first = group[0]!
  const { pool, isOwn, writerId = 'unknown' } = first
  const ids = group.map(({ id }) => id).sort()
  const oldest = Math.max(...group.map((orphan) => orphan.age))
  const age = `the oldest is ${formatDuration(Math.floor(oldest / 1000) * 1000)} old`
  const by = isOwn ? 'launched by this provisioner' : `launched by another provisioner (writer ${writerId})`
  const message = `${count(ids)} of pool ${pool} (${locationOf(first)}) ${ids.length === 1 ? 'runs but belongs' : 'run but belong'} to no configured pool: ${named(ids)}; ${age}, ${by}. ${future(group, rules)}`
  const terminate = `provision terminate ${named(ids, ' ')}`
  return problem('POOL_GONE', message, {
    remedy: isOwn
      ? `Put the pool back into the configuration, or type: ${terminate}`
      : `If another provisioner manages them, no action is needed. Otherwise type: provision adopt --orphans, or: ${terminate}`,
    details: { pool, ids, writer: writerId },
  })
}

function future(group: readonly FoundOrphan[], { terminateAfter }: OrphanRules): string {
  const [{ isOwn }] = group as [FoundOrphan]
  if (!isOwn) return 'They are not changed'
  if (terminateAfter === undefined) return 'They are not terminated: orphans.terminate_after is never'
  const left = Math.max(0, ...group.map(({ waited }) => terminateAfter - waited))
  const unknown = group.filter(({ next }) => next.kind === 'keep' && next.why === 'unknown').length
  const when = left > 0 ? `in ${formatDuration(Math.ceil(left / 1000) * 1000)}` : 'now'
  const idle = `Those known to be idle are terminated ${when}`
  return unknown > 0 ? `${idle}; ${unknown} unknown to the master are kept` : idle
}

/** A location that could not be listed whole. */
export function unseenProblem(place: ClusterLocation, why: string): Problem {
  const message = `instances of this cluster in ${locationOf(place)} could not be listed: ${why}`
  return problem('ORPHANS_UNSEEN', message, { details: { ...place.location, provider: place.provider } })
}

/** The instances that a reload leaves behind when it removes or moves a pool. */
export function leftProblem(pool: string, ids: readonly string[], what: 'removed' | 'moved'): Problem {
  const verb =
    what === 'removed' ? 'is not in the changed configuration' : 'is moved in the changed configuration'
  const message = `pool ${pool} ${verb}: after the next start ${count(ids)} of it will belong to no configured pool: ${named([...ids].sort())}`
  return problem('POOL_GONE', message, {
    remedy: `Put the pool back, or remove its instances first: provision drain ${named([...ids].sort(), ' ')}`,
    details: { pool, ids: [...ids] },
  })
}

export function locationOf({ provider, location }: Pick<ClusterLocation, 'provider' | 'location'>): string {
  return [provider, ...Object.entries(location).map(([key, value]) => `${key} ${value}`)].join(', ')
}

function count(ids: readonly string[]): string {
  return ids.length === 1 ? '1 instance' : `${ids.length} instances`
}

function named(ids: readonly string[], separator = ', '): string {
  const shown = ids.slice(0, mostNamed).join(separator)
  return ids.length > mostNamed ? `${shown} and ${ids.length - mostNamed} more` : shown
}
