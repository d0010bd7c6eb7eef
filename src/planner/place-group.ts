// Work of one size: on free agents, on what is coming, on whole agents together, or on VMs to be bought.

import { type Kind, put, takeWhole, wholeBins } from './bins.ts'
import { refusersOf, withoutUnplaceable } from './evidence.ts'
import { dividing, holding, preferred, type Size } from './market.ts'
import { type Batch, type Placing, refusal, unserve, want } from './placing.ts'
import type { WorkGroup } from './work.ts'

export function placeGroup(placing: Placing, group: WorkGroup): void {
  const { slots, work, waited } = group
  const counted = waited
    ? withoutUnplaceable(placing, group, refusersOf(placing.placement.kinds, slots))
    : work
  const batch: Batch = { slots, work: counted, left: counted.length }
  batch.left -= put(placing.shelf, slots, batch.left, waited ? freshRoom : anyRoom)
  spread(placing, batch)
  if (batch.left > 0) buyFor(placing, batch)
}

function anyRoom(): boolean {
  return true
}

/** Room that came up lately: where work that has waited was not placed for long, it will not be placed now. */
export function freshRoom({ tier, settled }: Kind): boolean {
  return tier !== 'drained' && !(tier === 'ready' && settled)
}

/** Puts each piece of work on several whole bins of one size, as long as there are enough. */
function spread({ shelf, placement, market }: Placing, batch: Batch): void {
  const { slots } = batch
  const sizes = new Set(placement.kinds.map((kind) => kind.size).filter((size) => divides(size, slots)))
  // As they are bought, so that work bought for together stays together.
  const rank = (slots: number) => market.find((size) => size.slots === slots)?.preference ?? Infinity
  for (const size of [...sizes].sort((a, b) => rank(a) - rank(b) || b - a))
    while (batch.left > 0 && wholeBins(shelf, size, anyRoom) >= slots / size) {
      takeWhole(shelf, size, slots / size, anyRoom)
      batch.left--
    }
}

function divides(size: number, slots: number): boolean {
  return size > 0 && size < slots && slots % size === 0
}

function buyFor(placing: Placing, batch: Batch): void {
  const { slots } = batch
  const holders = holding(placing.market, slots)
  const dividers = dividing(placing.market, slots)
  const size = preferred(holders)
  if (size) buyWhole(placing, size, batch)
  else if (preferred(dividers)) buyTogether(placing, dividers, batch)
  else if (holders.length + dividers.length > 0) {
    const { code, numbers } = refusal([...holders, ...dividers])
    unserve(placing.placement, code, batch, { slots, ...numbers })
  } else {
    const largest = Math.max(0, ...placing.market.map((each) => each.slots))
    const code = placing.market.length === 0 ? 'NO_OFFERING' : 'NEVER_FITS'
    unserve(placing.placement, code, batch, { slots, largest })
  }
}

/** Each VM holds one or more pieces of the work. */
function buyWhole(placing: Placing, size: Size, batch: Batch): void {
  const { slots } = batch
  const vms = Math.ceil(batch.left / Math.floor(size.slots / slots))
  const above = vms - want(placing, size, vms, 'forWork')
  batch.left -= put(placing.shelf, slots, batch.left, (kind) => kind.tier === 'bought')
  if (above > 0) placing.placement.overflow.push({ slots, size, vms: above })
  unserve(placing.placement, 'MAX_REACHED', batch, { slots, vms: above, max: placing.policy.maxInstances })
}

/** Each piece of the work takes several whole VMs: all of them or none, since part of them could only stand idle. */
function buyTogether(placing: Placing, dividers: Size[], batch: Batch): void {
  const { slots } = batch
  const usable = dividers
    .filter((size) => Number.isFinite(size.preference))
    .sort((a, b) => a.preference - b.preference || b.slots - a.slots)
  const missing = (size: Size) => slots / size.slots - wholeBins(placing.shelf, size.slots, anyRoom)
  for (; batch.left > 0; batch.left--) {
    const size = usable.find((candidate) => missing(candidate) <= placing.room)
    if (!size) break
    want(placing, size, missing(size), 'forWork')
    takeWhole(placing.shelf, size.slots, slots / size.slots, anyRoom)
  }
  if (batch.left > 0) tooMany(placing, dividers, missing, batch)
}

function tooMany(placing: Placing, dividers: Size[], missing: (size: Size) => number, batch: Batch): void {
  const { slots } = batch
  const { maxInstances: max } = placing.policy
  const guests = (size: Size) => placing.guests.filter((agent) => agent.slots === size.slots).length
  const possible = dividers.filter((size) => slots / size.slots <= max + guests(size))
  const best = [...possible].sort((a, b) => missing(a) - missing(b))[0]
  if (best) placing.placement.overflow.push({ slots, size: best, vms: missing(best) - placing.room })
  const vms = slots / (best ?? dividers[0]!).slots
  unserve(placing.placement, best ? 'MAX_REACHED' : 'EXCEEDS_MAX', batch, { slots, vms, max })
}
