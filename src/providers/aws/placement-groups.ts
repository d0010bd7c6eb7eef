// Placement groups that launches make: one for each gang, deleted when no instance is left in it.
import { ProvisionError, problem } from '../../problems/index.ts'
import { type Ownership, ownerTags } from '../contract.ts'
import type { CreatePlacementGroupRequest, Ec2Api, PlacementGroup } from './client.ts'
import { codeOf } from './errors.ts'
import { ownerFilters } from './instances.ts'
import { groupName } from './placement.ts'

/** Makes the groups of one launch. */
export interface GroupMaker {
  /** Resolves once the group exists and is ours. Rejects with the SDK's error, or with PROVIDER_CONFIG for another one's. */
  ensure(request: CreatePlacementGroupRequest, signal?: AbortSignal): Promise<void>
  /** Called when EC2 reports that the group does not exist: the next `ensure` creates it. */
  forget(): void
}

export function groupMaker(api: Ec2Api, { clusterId }: Ownership): GroupMaker {
  let isMade = false
  return {
    async ensure(request, signal) {
      if (isMade) return
      const { GroupName = '' } = request
      try {
        await api.createPlacementGroup(request, signal)
      } catch (error) {
        if (codeOf(error) !== 'InvalidPlacementGroup.Duplicate') throw error
        // Of an earlier attempt, whose answer was lost or whose process was killed.
        const { PlacementGroups: [found] = [] } = await api.describePlacementGroups(
          { GroupNames: [GroupName] },
          signal,
        )
        if (found && tagOf(found, ownerTags.cluster) !== clusterId) throw foreign(GroupName)
      }
      isMade = true
    },
    forget() {
      isMade = false
    },
  }
}

function foreign(name: string): ProvisionError {
  return new ProvisionError(
    problem(
      'PROVIDER_CONFIG',
      `placement group ${name} exists already, without the tag ${ownerTags.cluster} of this cluster`,
      { remedy: `Delete it: \`aws ec2 delete-placement-group --group-name ${name}\`.` },
    ),
  )
}

/**
 * Deletes our groups whose launch has no instance any more; EC2 itself refuses to delete one that has. Returns how many
 * are left. Rejects with the SDK's error, after it has tried all of them. A launch that is being sent makes its group again if it was deleted before it.
 */
export async function deleteUnusedGroups(
  api: Ec2Api,
  clusterId: string,
  isUsed: (intentId: string) => boolean,
  signal?: AbortSignal,
): Promise<number> {
  let left = 0
  const failures: unknown[] = []
  for (const group of await groupsOf(api, clusterId, signal)) {
    if (isUsed(tagOf(group, ownerTags.intent) ?? '')) left++
    else
      try {
        if (!(await remove(api, group.GroupName ?? '', signal))) left++
      } catch (error) {
        signal?.throwIfAborted()
        failures.push(error)
      }
  }
  if (failures.length) throw failures[0]
  return left
}

/** Groups that launches of the cluster made. A group of somebody else with our tags has another name. */
export async function groupsOf(
  api: Ec2Api,
  clusterId: string,
  signal?: AbortSignal,
): Promise<PlacementGroup[]> {
  const Filters = ownerFilters({ clusterId })
  const { PlacementGroups = [] } = await api.describePlacementGroups({ Filters }, signal)
  return PlacementGroups.filter((group) => {
    const [pool = '', intent = ''] = [tagOf(group, ownerTags.pool), tagOf(group, ownerTags.intent)]
    const isDeleted = group.State === 'deleting' || group.State === 'deleted'
    return !isDeleted && group.GroupName === groupName({ clusterId, pool }, intent)
  })
}

/** False when the group is in use: also by instances that are shutting down. */
async function remove(api: Ec2Api, GroupName: string, signal?: AbortSignal): Promise<boolean> {
  try {
    await api.deletePlacementGroup({ GroupName }, signal)
    return true
  } catch (error) {
    const code = codeOf(error)
    if (code === 'InvalidPlacementGroup.Unknown') return true
    if (code === 'InvalidPlacementGroup.InUse') return false
    throw error
  }
}

function tagOf({ Tags = [] }: PlacementGroup, key: string): string | undefined {
  return Tags.find(({ Key }) => Key === key)?.Value
}
