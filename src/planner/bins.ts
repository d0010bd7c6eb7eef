// Room for work, counted instead of listed: bins of the same kind and the same free slots are one entry.
import type { Member } from './inventory.ts'

/** The order in which room is used: agents at hand, agents we drained, VMs on their way, VMs to be bought. */
export const tiers = { ready: 0, drained: 1, coming: 2, bought: 3 } as const
export type Tier = keyof typeof tiers

/** VMs or agents that are alike, and how many of them work was put on. */
export interface Kind {
  tier: Tier
  /** Nothing about them changed for longer than the scheduler needs to place work. */
  settled: boolean
  size: number
  free: number
  /** The idle ones of our own, about which it is asked who they are. */
  members: Member[]
  count: number
  used: number
  /** Slots of waiting work that were put on them. */
  filled: number
  /** Auxiliary work they can take together, and what was put on them. */
  aux: number
  filledAux: number
}

interface Bin {
  kind: Kind
  free: number
  count: number
  untouched: boolean
}

export type Shelf = Bin[]

export function shelve(kinds: readonly Kind[]): Shelf {
  const shelf: Shelf = []
  for (const kind of kinds) insert(shelf, { kind, free: kind.free, count: kind.count, untouched: true })
  return shelf
}

/** Puts up to `count` pieces of work on single bins, fullest fitting bin of the first tier first; tells how many. */
export function put(shelf: Shelf, slots: number, count: number, allowed: (kind: Kind) => boolean): number {
  let left = count
  while (left > 0) {
    const bin = shelf.find((b) => b.count > 0 && b.free >= slots && allowed(b.kind))
    if (!bin) break
    const perBin = Math.floor(bin.free / slots)
    const bins = Math.min(bin.count, Math.max(1, Math.floor(left / perBin)))
    const each = Math.min(perBin, left)
    use(shelf, bin, bins, bin.free - each * slots)
    left -= bins * each
  }
  return count - left
}

/** Bins of this size with nothing on them. */
export function wholeBins(shelf: Shelf, size: number, allowed: (kind: Kind) => boolean): number {
  let count = 0
  for (const bin of shelf) if (isWhole(bin, size) && allowed(bin.kind)) count += bin.count
  return count
}

/** Takes so many whole bins; the caller has counted them. */
export function takeWhole(shelf: Shelf, size: number, count: number, allowed: (kind: Kind) => boolean): void {
  let left = count
  while (left > 0) {
    const bin = shelf.find((b) => b.count > 0 && isWhole(b, size) && allowed(b.kind))
    if (!bin) return
    const bins = Math.min(bin.count, left)
    use(shelf, bin, bins, 0)
    left -= bins
  }
}

/** Adds VMs to be bought, so that later work can share them. */
export function buy(shelf: Shelf, size: number, count: number, auxEach: number): Kind {
  const base = { tier: 'bought', settled: false, size, free: size, used: 0, filled: 0, filledAux: 0 } as const
  const kind: Kind = { ...base, members: [], count, aux: count * auxEach }
  insert(shelf, { kind, free: size, count, untouched: true })
  return kind
}

function isWhole(bin: Bin, size: number): boolean {
  return bin.free === size && bin.kind.size === size
}

function use(shelf: Shelf, bin: Bin, count: number, free: number): void {
  bin.count -= count
  bin.kind.filled += count * (bin.free - free)
  if (bin.untouched) bin.kind.used += count
  insert(shelf, { kind: bin.kind, free, count, untouched: false })
}

function insert(shelf: Shelf, bin: Bin): void {
  if (bin.free === 0 || bin.count === 0) return
  const at = shelf.findIndex((b) => inOrder(bin, b) < 0)
  shelf.splice(at < 0 ? shelf.length : at, 0, bin)
}

function inOrder(a: Bin, b: Bin): number {
  return tiers[a.kind.tier] - tiers[b.kind.tier] || a.free - b.free || a.kind.size - b.kind.size
}
