// The placement group of a launch, offline: none, one that the pool names, or one of its own for each gang.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/placement-groups.html
import { derivedName } from '../../platform/index.ts'
import type { Intent, Ownership } from '../contract.ts'

/** The value of `placement_group` with which each gang gets a group of its own. */
export const perGang = 'per_gang'

interface PlacementKeys {
  placement_group?: string
}

/** Whether each gang of the pool gets a group of its own. */
export function groupsGangs({ placement_group }: PlacementKeys): boolean {
  return placement_group === perGang
}

/** The group that all instances of the pool are launched into, if the file names one. */
export function sharedGroup({ placement_group }: PlacementKeys): string | undefined {
  return placement_group === perGang ? undefined : placement_group
}

/** The group that is made for a launch; undefined for a launch that gets none. */
export function ownGroup(config: PlacementKeys, owner: Ownership, intent: Intent): string | undefined {
  return intent.gang && groupsGangs(config) ? groupName(owner, intent.id) : undefined
}

/**
 * The same for each repetition of a launch, and unique in the account: at most 255 ASCII characters. The pool in it helps
 * readers only.
 */
export function groupName(
  { clusterId, pool }: Pick<Ownership, 'clusterId' | 'pool'>,
  intentId: string,
): string {
  const name = pool.replace(/[^a-zA-Z0-9_.-]/g, '-').slice(0, 64)
  return `agent-provisioner-${name}-${derivedName(24, clusterId, intentId)}`
}

/**
 * Whether a cluster placement group can hold the type, as far as that is known offline: not burstable, Mac and M7i-flex
 * instances. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/limitations-placement-groups.html
 */
export function fitsInClusterGroup(type: string): boolean {
  return !/^(?:t\d|mac|m7i-flex\.)/.test(type)
}
