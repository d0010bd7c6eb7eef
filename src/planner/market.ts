// What can be bought: offerings in groups of one size, and which group suits a piece of work.

import { offeringKey } from './instance.ts'
import type { KnownOffering, LaunchInFlight } from './snapshot.ts'

/** All offerings with the same slots. */
export interface Size {
  slots: number
  /** In order of preference; not refused, and with no launch call in flight. */
  free: KnownOffering[]
  /** Not refused, but a launch call is in flight. */
  busy: KnownOffering[]
  refused: KnownOffering[]
  /** The lowest number among those that are not refused. */
  preference: number
}

export function marketOf(
  offerings: readonly KnownOffering[],
  inFlight: readonly LaunchInFlight[],
  now: number,
): Size[] {
  const calls = new Set(inFlight.flatMap((launch) => launch.offerings.map(offeringKey)))
  const sizes = new Map<number, Size>()
  for (const offering of [...offerings].sort((a, b) => a.preference - b.preference || order(a, b))) {
    const { slots, refused } = offering
    let size = sizes.get(slots)
    if (!size) {
      size = { slots, free: [], busy: [], refused: [], preference: Number.POSITIVE_INFINITY }
      sizes.set(slots, size)
    }
    if (refused && refused.until > now) {
      size.refused.push(offering)
      continue
    }
    size.preference = Math.min(size.preference, offering.preference)
    if (calls.has(offeringKey(offering))) size.busy.push(offering)
    else size.free.push(offering)
  }
  return [...sizes.values()]
}

/** The order of the file is kept by `preference`; this one only makes the result independent of the input's order. */
function order(a: KnownOffering, b: KnownOffering): number {
  return offeringKey(a) < offeringKey(b) ? -1 : 1
}

/** Sizes that hold the work on one VM. */
export function holding(market: readonly Size[], slots: number): Size[] {
  return market.filter((size) => size.slots >= slots)
}

/** Sizes of which several whole VMs make up the work (origin: scaling.go counts only multiples). */
export function dividing(market: readonly Size[], slots: number): Size[] {
  return market.filter((size) => size.slots > 0 && size.slots < slots && slots % size.slots === 0)
}

/** The size to buy: the most preferred that is not refused; among equals the one that wastes least. */
export function preferred(sizes: readonly Size[]): Size | undefined {
  return sizes
    .filter((size) => Number.isFinite(size.preference))
    .sort((a, b) => a.preference - b.preference || a.slots - b.slots)[0]
}
