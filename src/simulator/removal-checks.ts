// Promises about ending VMs: 2, 3, 6, 13; and the rate of listings, 10.
import { clusterId, poolName } from './names.ts'
import { isOf, type Seen } from './seen.ts'
import type { World } from './world.ts'

const maxAge = 15_000
const listingsIn = { ms: 600_000, most: 135 }
/** A VM that ended by itself is known to be gone when a listing has shown it. */
const seenWithin = 30_000
/** Reasons that leave a pool with what it has: the others replace what is of no use. */
const shrinking = ['LONG_IDLE', 'ABOVE_MAX']

export function checkTerminateCall(world: World, seen: Seen, ids: readonly string[]): void {
  const { clock, invariants, cloud } = world
  const now = clock.now()
  // A VM that ended a moment ago may be ended once more before a listing has shown it.
  const isOver = (id: string) => now - (cloud.vms.get(id)?.endedAt ?? 0) < seenWithin
  if (!ids.every(isOver)) seen.terminations++
  if (seen.stoppingAt !== undefined) invariants.violated(3, `${ids} are ended while the provisioner stops`)
  if (!seen.listing?.complete || now - seen.listing.completeAt > maxAge)
    invariants.violated(13, `${ids} are ended on the word of an old or partial listing`)
  // What a person ends by force needs no word of the master.
  const isForced = (id: string) => invariants.orders.get(id) === 'even_if_busy'
  if (!ids.every(isForced) && (!seen.demand || now - seen.demand.at > maxAge))
    invariants.violated(13, `${ids} are ended on an old word of the master`)
  for (const id of ids) {
    const vm = cloud.vms.get(id)
    if (!vm) invariants.violated(6, `${id} is ended and never was`)
    else {
      const isOurs = vm.clusterId === clusterId && vm.instance.pool === poolName
      const writer = vm.instance.writerId ?? ''
      if (!isOurs || (writer !== seen.name && !seen.adopted.has(writer)))
        invariants.violated(6, `${id} of ${writer} is ended by ${seen.name}`)
      checkBusy(world, seen, id)
    }
  }
  checkMin(world, seen, ids)
}

/** Work that came after the last look is nobody's fault only where no drain can reach: on an agent not yet known. */
function checkBusy({ master, invariants }: World, seen: Seen, id: string): void {
  const agent = master.agents.get(id)
  if (!agent || agent.work.size === 0 || invariants.orders.get(id) === 'even_if_busy') return
  const knew = seen.demand?.agents.find((a) => a.id === id)
  for (const workId of agent.work.keys()) {
    const placedAt = master.work.get(workId)?.placedAt ?? 0
    const isUnknowable = !knew?.connected && placedAt >= (seen.demand?.at ?? 0)
    const wasGivenBack = (master.enabledByPersonAt.get(id) ?? 0) >= (seen.demand?.at ?? 0)
    if (!isUnknowable && !wasGivenBack) invariants.violated(3, `${id} is ended with ${workId} on it`)
  }
}

function checkMin({ cloud, clock, policy, invariants }: World, seen: Seen, ids: readonly string[]): void {
  const shrinks = ids.filter((id) => shrinking.includes(seen.reasons.get(id) ?? ''))
  if (shrinks.length === 0) return
  const now = clock.now()
  const left = [...cloud.vms.values()].filter(
    (vm) => isOf(seen, vm) && !shrinks.includes(vm.instance.id) && (vm.endedAt ?? now) + seenWithin > now,
  ).length
  if (left < policy.minInstances)
    invariants.violated(2, `${shrinks} are ended, ${left} VMs stay, min_instances is ${policy.minInstances}`)
}

export function checkDrainCall({ cloud, invariants }: World, seen: Seen, id: string): void {
  const writer = cloud.vms.get(id)?.instance.writerId
  if (writer !== seen.name && !seen.adopted.has(writer ?? ''))
    invariants.violated(6, `${id} of ${writer} is drained by ${seen.name}`)
}

export function checkListCall({ clock, invariants }: World, seen: Seen): void {
  const now = clock.now()
  seen.listCalls.push(now)
  while (seen.listCalls[0]! < now - listingsIn.ms) seen.listCalls.shift()
  if (seen.listCalls.length > listingsIn.most)
    invariants.violated(10, `${seen.listCalls.length} listings in ${listingsIn.ms / 60_000} minutes`)
}
