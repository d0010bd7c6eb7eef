// What can be bought: offerings in groups of one size, and which group fits an allocation.
import { type KnownOffering, type LaunchInFlight, offeringKey } from './snapshot.ts'

/** All offerings with the same slots. */
export interface Size {
  slots: number
  /** In order of preference; not refused, and with no launch call in flight. */
  free: KnownOffering[]
  /** Not refused, but a launch call is in flight. */
  busy: KnownOffering[]
  /** The one whose refusal ends first is the first. */
  refused: KnownOffering[]
  /** The lowest number among those that are not refused. */
  preference: number
}

/** In the order in which they are bought: the most preferred first; among equals the one that wastes the fewest slots. */
export function catalogOf(
  offerings: readonly KnownOffering[],
  inFlight: readonly LaunchInFlight[],
  now: number,
): Size[] {
  const calls = new Set(inFlight.flatMap((launch) => launch.offerings.map(offeringKey)))
  const sizes = new Map<number, Size>()
  for (const offering of inOrder(offerings)) {
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
  for (const { refused } of sizes.values()) refused.sort((a, b) => a.refused!.until - b.refused!.until)
  return [...sizes.values()].sort((a, b) => compare(a.preference, b.preference) || a.slots - b.slots)
}

/** Two of them may be infinite. */
export function compare(a: number, b: number): number {
  return a === b ? 0 : a - b
}

/** `preference` keeps the order of the file; the key only makes the result independent of the order of the input. */
export function inOrder(offerings: readonly KnownOffering[]): KnownOffering[] {
  return [...offerings].sort(
    (a, b) => a.preference - b.preference || (offeringKey(a) < offeringKey(b) ? -1 : 1),
  )
}

/** Sizes that hold the allocation on one VM. */
export function holding(catalog: readonly Size[], slots: number): Size[] {
  return catalog.filter((size) => size.slots >= slots)
}

/** Sizes of which several whole VMs hold the allocation (Determined's scaling.go counts only multiples). */
export function dividing(catalog: readonly Size[], slots: number): Size[] {
  return catalog.filter((size) => size.slots > 0 && size.slots < slots && slots % size.slots === 0)
}

/** The size to buy, of some in the order of the catalog; undefined when all are refused. */
export function preferred(sizes: readonly Size[]): Size | undefined {
  return sizes[0] && Number.isFinite(sizes[0].preference) ? sizes[0] : undefined
}
