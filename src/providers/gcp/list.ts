// Everything we own in the pool, and why VMs have stopped where it can be known.
import type { Instance } from '../../planner/instance.ts'
import { problem } from '../../problems/problem.ts'
import type { Listing } from '../launch.ts'
import type { Ownership } from '../ownership.ts'
import type { GceApi, GceInstance } from './gce-api.ts'
import { gceFailure } from './gce-failure.ts'
import { instanceOf, isOurs, lastPart, ownerFilter } from './instances.ts'
import { allOperations, instancePages } from './pages.ts'

export interface ListInput {
  api: GceApi
  owner: Ownership
  project: string
  region: string
  signal?: AbortSignal | undefined
}

/** A VM that was taken back is deleted, or stopped and then ended by the planner as any that has stopped. */
export async function listPool(input: ListInput): Promise<Listing> {
  const { api, owner, project, region, signal } = input
  signal?.throwIfAborted()
  const listing: Listing = { instances: [], complete: true, problems: [] }
  const found: GceInstance[] = []
  try {
    for await (const page of instancePages(api, { project, region, filter: ownerFilter(owner) }, signal))
      found.push(...page.filter((instance) => isOurs(instance, owner)))
  } catch (error) {
    signal?.throwIfAborted()
    listing.complete = false
    listing.problems.push(gceFailure(error, `list the VMs of pool ${owner.pool}`).problem)
  }
  listing.instances = found.map((instance) => instanceOf(instance, owner))
  for (const { id, launchedAt } of listing.instances)
    if (Number.isNaN(launchedAt))
      listing.problems.push(problem('PROVIDER_TIME_UNREADABLE', `it cannot be read when VM ${id} was made`))
  await markPreempted(input, listing)
  return listing
}

/**
 * The operation `compute.instances.preempted` is the only trace that Google took a spot VM back
 * (https://cloud.google.com/compute/docs/instances/create-use-spot). Asked for while spot VMs are stopping or stopped.
 */
async function markPreempted({ api, owner, project, signal }: ListInput, listing: Listing): Promise<void> {
  const ending = listing.instances.filter(
    ({ capacityType, state }) => capacityType === 'spot' && (state === 'stopping' || state === 'stopped'),
  )
  const filter = '(operationType = "compute.instances.preempted")'
  const taken = new Map<string, number>()
  try {
    for (const zone of new Set(ending.map((instance) => instance.zone)))
      for (const { targetLink, insertTime = '' } of await allOperations(
        api,
        { project, zone, filter },
        signal,
      ))
        taken.set(lastPart(targetLink), Date.parse(insertTime) || 0)
  } catch (error) {
    signal?.throwIfAborted()
    // The listing itself is whole: only the reason is missing.
    listing.problems.push(gceFailure(error, `ask for preempted VMs in pool ${owner.pool}`).problem)
  }
  listing.instances = listing.instances.map((instance): Instance => {
    const interruptedAt = taken.get(instance.id)
    const stateReason = 'preempted: Compute Engine has taken the VM back'
    return interruptedAt === undefined ? instance : { ...instance, interruptedAt, stateReason }
  })
}
