// Idle managed agents of a kind: which are kept for waiting allocations, and which nothing is planned for.
import type { Kind } from './bins.ts'
import { firstIds } from './decision.ts'
import { isOpen, type Member } from './inventory.ts'

/**
 * Members in the order in which they are kept: outdated ones last, the most recently idle first, so that the longest idle are
 * removed.
 */
export function keepOrder(a: Member, b: Member): number {
  const outdated = Number(a.outdated !== undefined) - Number(b.outdated !== undefined)
  return outdated || idleSince(b) - idleSince(a) || (a.instance.id < b.instance.id ? -1 : 1)
}

function idleSince({ agent }: Member): number {
  return agent?.idleSince ?? 0
}

/** Idle members of the used kind, in `keepOrder`: as many as if the busy ones got none of the allocations. */
export function usedMembers({ members, used }: Kind): Member[] {
  if (used === 0) return []
  return used < members.length ? members.sort(keepOrder).slice(0, used) : members
}

/** How many agents are named as those that were not given an allocation. */
const few = 8

/** Agents of a kind that are idle and settled, and that no other allocation is planned for. */
interface Left {
  count: number
  /** The first few by id. */
  first: readonly Ranked[]
}

/** An agent, and its place in `keepOrder`. */
interface Ranked {
  id: string
  rank: number
}

/** Idle agents of one kind in two orders. `used` of the kind only grows, so that each agent is passed once. */
class LeftIdle {
  readonly #suits: readonly boolean[]
  readonly #byId: readonly Ranked[]
  #used = 0
  #next = 0
  #count: number
  #first: Ranked[] = []

  constructor({ members }: Kind) {
    const suits = members.sort(keepOrder).map(({ agent }) => agent!.connected && isOpen(agent!))
    this.#suits = suits
    this.#count = suits.filter(Boolean).length
    this.#byId = members
      .map(({ instance }, rank) => ({ id: instance.id, rank }))
      .filter(({ rank }) => suits[rank])
      .sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  after(used: number): Left {
    for (; this.#used < Math.min(used, this.#suits.length); this.#used++)
      if (this.#suits[this.#used]) this.#count--
    if (this.#first.some(({ rank }) => rank < used))
      this.#first = this.#first.filter(({ rank }) => rank >= used)
    for (; this.#first.length < few && this.#next < this.#byId.length; this.#next++)
      if (this.#byId[this.#next]!.rank >= used) this.#first.push(this.#byId[this.#next]!)
    return { count: this.#count, first: this.#first }
  }
}

/** What is left of each kind, looked up again and again while a plan uses them. */
export class IdleAgents {
  readonly #kinds = new Map<Kind, LeftIdle>()

  /** The first few ids of the kinds of which enough agents are left; undefined: none of that kind. */
  first(kinds: readonly Kind[], enough: (kind: Kind) => number | undefined): string[] {
    const agents: Ranked[] = []
    for (const kind of kinds) {
      if (kind.tier !== 'ready' || !kind.settled || kind.members.length === 0) continue
      const least = enough(kind)
      if (least === undefined) continue
      const { count, first } = this.#left(kind)
      if (count >= least) agents.push(...first)
    }
    return firstIds(agents, few)
  }

  #left(kind: Kind): Left {
    let left = this.#kinds.get(kind)
    if (!left) {
      left = new LeftIdle(kind)
      this.#kinds.set(kind, left)
    }
    return left.after(kind.used)
  }
}
