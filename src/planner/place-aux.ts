// Auxiliary work: no slots, and only so many on one agent. VMs bought for slots take it as well.

import { type Kind, tiers } from './bins.ts'
import { idleLeft } from './capacity.ts'
import { firstFew, withoutUnplaceable } from './evidence.ts'
import { preferred } from './market.ts'
import { freshRoom } from './place-group.ts'
import { type Batch, type Placing, refusal, unserve, want } from './placing.ts'
import type { WorkGroup } from './work.ts'

export function placeAux(placing: Placing, group: WorkGroup): void {
  const { slots, waited } = group
  const work = waited
    ? withoutUnplaceable(placing, group, firstFew(idleLeft(placing.placement.kinds, (kind) => kind.aux > 0)))
    : group.work
  const batch: Batch = { slots, work, left: work.length }
  batch.left -= putAux(placing, batch.left, waited ? freshRoom : () => true)
  if (batch.left > 0) buyForAux(placing, batch)
}

/** Fills the room for auxiliary work tier by tier; tells how much of it was placed. */
function putAux({ placement }: Placing, count: number, allowed: (kind: Kind) => boolean): number {
  let left = count
  for (const kind of placement.kinds.sort((a, b) => tiers[a.tier] - tiers[b.tier])) {
    if (!allowed(kind) || kind.aux === 0 || left === 0) continue
    const placed = Math.min(left, kind.aux)
    const perMember = kind.aux / kind.count
    kind.aux -= placed
    kind.filledAux += placed
    kind.used = Math.max(kind.used, Math.ceil(placed / perMember))
    left -= placed
  }
  return count - left
}

function buyForAux(placing: Placing, batch: Batch): void {
  const { policy, placement, market } = placing
  const size = preferred(market)
  const vms = Math.ceil(batch.left / policy.maxAuxPerAgent)
  const bought = size ? want(placing, size, vms, 'forWork') : 0
  batch.left -= putAux(placing, batch.left, (kind) => kind.tier === 'bought')
  const { code, numbers } = size
    ? { code: 'MAX_REACHED' as const, numbers: { vms: vms - bought, max: policy.maxInstances } }
    : refusal(market)
  unserve(placement, code, batch, numbers)
}
