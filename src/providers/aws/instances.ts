// The pool's VMs as EC2 lists them, and which of them AWS has said it will take back.
import type { Instance, InstanceState } from '../../planner/index.ts'
import { type Listing, type Ownership, ownerTags } from '../contract.ts'
import { chunks, type Ec2Api, type Ec2Instance, instancePages } from './client.ts'
import { ec2Failure } from './errors.ts'

/** Ended VMs are listed too, as long as EC2 remembers them (about an hour): their reason is worth knowing. */
export async function listPool(api: Ec2Api, owner: Ownership, signal?: AbortSignal): Promise<Listing> {
  signal?.throwIfAborted()
  const listing: Listing = { instances: [], complete: true, problems: [] }
  const spotRequests: string[] = []
  try {
    for await (const page of instancePages(api, { Filters: ownerFilters(owner) }, signal))
      for (const instance of page) {
        if (!isOurs(instance, owner)) continue
        // Only what is read is kept, not the SDK's objects: there may be 10,000.
        listing.instances.push(instanceOf(instance))
        if (isLive(instance) && instance.SpotInstanceRequestId)
          spotRequests.push(instance.SpotInstanceRequestId)
      }
  } catch (error) {
    signal?.throwIfAborted()
    listing.complete = false
    listing.problems.push(ec2Failure(error, `list the VMs of pool ${owner.pool}`).problem)
  }
  await markInterrupted(api, owner, spotRequests, listing, signal)
  return listing
}

function isLive({ State }: Ec2Instance): boolean {
  return State?.Name === 'pending' || State?.Name === 'running'
}

/**
 * A spot VM gets its notice two minutes ahead, as the status of its request: `marked-for-termination`, `-stop` or
 * `-hibernation` (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html).
 */
async function markInterrupted(
  api: Ec2Api,
  owner: Ownership,
  requests: string[],
  listing: Listing,
  signal?: AbortSignal,
): Promise<void> {
  const notices = new Map<string, number>()
  try {
    // A filter, not the ids themselves: one that EC2 no longer knows fails the whole call.
    for (const ids of chunks(requests, 200)) {
      const Filters = [{ Name: 'spot-instance-request-id', Values: ids }]
      const { SpotInstanceRequests = [] } = await api.describeSpotInstanceRequests({ Filters }, signal)
      for (const { InstanceId, Status } of SpotInstanceRequests)
        if (InstanceId && Status?.Code?.startsWith('marked-for-'))
          notices.set(InstanceId, Status.UpdateTime?.getTime() ?? 0)
    }
  } catch (error) {
    signal?.throwIfAborted()
    // The listing itself is whole: only the notice may come late.
    listing.problems.push(ec2Failure(error, `ask for spot notices in pool ${owner.pool}`).problem)
  }
  listing.instances = listing.instances.map((instance): Instance => {
    const interruptedAt = notices.get(instance.id)
    return interruptedAt === undefined ? instance : { ...instance, interruptedAt }
  })
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html */
const states: Record<string, InstanceState> = {
  pending: 'starting',
  running: 'running',
  'shutting-down': 'stopping',
  stopping: 'stopping',
  stopped: 'stopped',
  terminated: 'terminated',
}

export function instanceOf(instance: Ec2Instance): Instance {
  const { State, StateReason, StateTransitionReason, Placement } = instance
  const tags = tagsOf(instance)
  const reason = StateReason?.Message || StateTransitionReason
  const intentId = tags.get(ownerTags.intent)
  const writerId = tags.get(ownerTags.writer)
  return {
    id: instance.InstanceId ?? '',
    pool: tags.get(ownerTags.pool) ?? '',
    state: states[State?.Name ?? ''] ?? 'unknown',
    launchedAt: instance.LaunchTime?.getTime() ?? 0,
    instanceType: instance.InstanceType ?? '',
    zone: Placement?.AvailabilityZone ?? '',
    capacityType: instance.InstanceLifecycle === 'spot' ? 'spot' : 'on_demand',
    ...(intentId === undefined ? {} : { intentId }),
    ...(writerId === undefined ? {} : { writerId }),
    ...(reason ? { stateReason: reason } : {}),
  }
}

function tagsOf({ Tags = [] }: Ec2Instance): Map<string, string> {
  return new Map(Tags.map(({ Key, Value }) => [Key ?? '', Value ?? '']))
}

/** Ours are those with the cluster's and the pool's tag; nothing else decides. */
export function isOurs(instance: Ec2Instance, { clusterId, pool }: Ownership): boolean {
  const tags = tagsOf(instance)
  return tags.get(ownerTags.cluster) === clusterId && tags.get(ownerTags.pool) === pool
}

/** A tag filter's `*`, `?` and `\` stand for themselves when escaped. */
export function ownerFilters({ clusterId, pool }: Ownership) {
  return [
    { Name: `tag:${ownerTags.cluster}`, Values: [literal(clusterId)] },
    { Name: `tag:${ownerTags.pool}`, Values: [literal(pool)] },
  ]
}

export function intentFilter(intentId: string) {
  return { Name: `tag:${ownerTags.intent}`, Values: [literal(intentId)] }
}

function literal(text: string): string {
  return text.replace(/[\\*?]/g, '\\$&')
}
