// Which pools a provisioner takes, and which it gives up, so that all are led and the work is spread.
import type { Candidate, LeaseView } from './port.ts'

export interface Choice {
  /** Those that this provisioner takes. */
  take: string[]
  /** Pools that nobody leads. */
  free: string[]
  /** Pools that it must not lead any longer. */
  giveUp: string[]
  /** Pools that others should lead, so that the work is spread: a quarter of those that are too many, at least one. */
  move: string[]
}

/**
 * Everybody chooses by the same rules from the same view, so that each free pool falls to one of them; who is wrong about the
 * view is refused by the store. `held`: the pools that this provisioner leads; `freeBefore`: those that nobody led in its last
 * view either. To whom they fall does not take them, so whoever can does.
 */
export function chooseLeases(
  view: LeaseView,
  self: Candidate,
  held: Iterable<string>,
  freeBefore: ReadonlySet<string> = new Set(),
): Choice {
  const others = view.candidates.filter(({ id, left }) => id !== self.id && left > 0)
  const candidates = [...others, self].sort((a, b) => (a.id < b.id ? -1 : 1))
  const mine = [...held].sort()
  const eligible = (pool: string) => eligibleFor(pool, candidates)
  const giveUp = mine.filter((pool) => !eligible(pool).includes(self))
  const kept = mine.filter((pool) => !giveUp.includes(pool))

  const counts = new Map(candidates.map(({ id }) => [id, 0]))
  const add = (id: string) => counts.set(id, (counts.get(id) ?? 0) + 1)
  const led = new Set(mine)
  for (const { pool, holder, left } of view.leases) {
    if (left <= 0 || holder === self.id) continue
    led.add(pool)
    if (counts.has(holder)) add(holder)
  }
  for (const _ of kept) add(self.id)

  const take: string[] = []
  const free: string[] = []
  for (const pool of new Set(candidates.flatMap(({ pools }) => pools).sort())) {
    if (led.has(pool)) continue
    free.push(pool)
    const able = eligible(pool)
    const chosen = leastBusy(able, counts)!
    add(chosen.id)
    if (chosen === self || (freeBefore.has(pool) && able.includes(self))) take.push(pool)
  }
  const move: string[] = []
  for (const pool of kept) {
    if (self.pinned.includes(pool)) continue
    const { id } = leastBusy(eligible(pool), counts)!
    if (counts.get(id)! > counts.get(self.id)! - 2) continue
    add(id)
    counts.set(self.id, counts.get(self.id)! - 1)
    move.push(pool)
  }
  return { take, free, giveUp, move: move.slice(0, Math.ceil(move.length / 4)) }
}

/** Who has the pool; of those, who wants all pools, if anybody does. */
function eligibleFor(pool: string, candidates: readonly Candidate[]): Candidate[] {
  const having = candidates.filter(({ pools }) => pools.includes(pool))
  const greedy = having.filter(({ wants }) => wants === 'all')
  return greedy.length > 0 ? greedy : having
}

/** Of equals the first by id. */
function leastBusy(
  candidates: readonly Candidate[],
  counts: ReadonlyMap<string, number>,
): Candidate | undefined {
  let least: Candidate | undefined
  for (const each of candidates) if (!least || counts.get(each.id)! < counts.get(least.id)!) least = each
  return least
}
