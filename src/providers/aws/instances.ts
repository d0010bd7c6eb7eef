// A VM as EC2 tells it, and as we do.
import type { Instance as Ec2Instance } from '@aws-sdk/client-ec2'
import type { Instance, InstanceState } from '../../planner/instance.ts'
import { type Ownership, ownerTags } from '../ownership.ts'

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

export function tagsOf({ Tags = [] }: Ec2Instance): Map<string, string> {
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
