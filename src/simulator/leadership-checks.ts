// The checks behind promise 20: several provisioners of one cluster, of which one at a time leads a pool.
import type { LaunchOrder } from '../providers/index.ts'
import { type Epoch, isSameEpoch } from '../state/index.ts'
import type { CloudInstance } from './cloud.ts'
import { canLead, type Host, ledPools } from './host.ts'
import type { Observations, ObservedWorld } from './observations.ts'
import { poolName } from './scenario.ts'

/** Milliseconds until somebody leads a pool again. */
const ledWithin = 15_000

export interface LeadershipEvidence {
  /** Since when a host could lead. */
  ableSince: Map<Host, number>
  /** Since when nobody leads a pool, and its newest epoch then: one whose leader fails at once, or is suspended, counts anew. */
  unledSince: Map<string, { at: number; epoch: number }>
  /** The request of each intent, as it was sent first. */
  requests: Map<string, string>
}

export function createLeadershipEvidence(): LeadershipEvidence {
  return { ableSince: new Map(), unledSince: new Map(), requests: new Map() }
}

/** After each step: one leader of a pool at most, and one soon. */
export function checkLeaders(world: ObservedWorld, { ableSince, unledSince }: LeadershipEvidence): void {
  const { hosts, clock, invariants } = world
  if (!hosts) return
  const now = clock.now()
  for (const host of hosts.all) {
    if (!canLead(world, hosts, host)) ableSince.delete(host)
    else if (!ableSince.has(host)) ableSince.set(host, now)
  }
  for (const pool of ledPools) {
    const leaders = hosts.all.filter(({ life, leading }) => life.alive && leading.epochOf(pool))
    if (leaders.length > 1)
      invariants.violated(20, `${leaders.map(({ name }) => name).join(' and ')} lead ${pool}`)
    const epoch = hosts.leases.newest(pool)?.number ?? 0
    if (leaders.length > 0) unledSince.delete(pool)
    else if (unledSince.get(pool)?.epoch !== epoch) unledSince.set(pool, { at: now, epoch })
    else checkSoon(world, pool, unledSince.get(pool)!, ableSince)
  }
}

function checkSoon(
  { clock, invariants }: ObservedWorld,
  pool: string,
  unled: { at: number },
  ableSince: ReadonlyMap<Host, number>,
): void {
  const since = Math.max(unled.at, Math.min(...ableSince.values()))
  if (clock.now() - since <= ledWithin) return
  invariants.violated(20, `nobody leads ${pool} for ${ledWithin / 1000} s, although somebody could`)
  unled.at = Number.POSITIVE_INFINITY
}

/** A write that the store accepts; or a decision or a call, for which the lease must last, too. */
export function checkTerm(
  { hosts, invariants }: ObservedWorld,
  what: string,
  epoch: Epoch,
  mustLast: boolean,
): void {
  const { leases } = hosts!
  const newest = leases.newest(poolName)
  const left = leases.view().leases.find(({ pool }) => pool === poolName)?.left ?? 0
  if (!isSameEpoch(newest, epoch))
    invariants.violated(20, `${what} in epoch ${epoch.number}, the newest is ${newest?.number}`)
  else if (mustLast && left <= 0) invariants.violated(20, `${what} after the lease of epoch ${epoch.number}`)
}

/** An intent is closed when no call of any epoch can launch its instances any more. */
export function checkOpen(
  { hosts, invariants }: ObservedWorld,
  { closed }: Observations,
  { instance: { id, intentId = '' } }: CloudInstance,
): void {
  if (hosts && closed.has(intentId))
    invariants.violated(20, `${id} is launched for ${intentId}, which was closed`)
}

/** At most one epoch's launch for an intent: whoever sends it again sends the same. */
export function checkSameRequest(
  { hosts, invariants }: ObservedWorld,
  { requests }: LeadershipEvidence,
  { intent, owner, userData }: LaunchOrder,
): void {
  if (!hosts) return
  const request = JSON.stringify([intent, owner, userData.sha256])
  const first = requests.get(intent.id) ?? request
  requests.set(intent.id, first)
  if (first !== request) invariants.violated(20, `${intent.id} is sent with another request in a later term`)
}
