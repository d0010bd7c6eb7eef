// All of a cluster in a region, whatever the pool: its instances, and what their launches made besides.
import type { ClusterContext, ClusterProvider, Location } from '../contract.ts'
import { orProblem } from '../failure.ts'
import { ec2Client } from './client.ts'
import { ec2Failure } from './errors.ts'
import { findOwned, listOwned, terminateOwned } from './instances.ts'
import { deleteUnusedGroups } from './placement-groups.ts'

/** Throws a TypeError for a location without a region. */
export function openCluster(
  { region }: Location,
  { clusterId, env, mayAct }: ClusterContext,
): ClusterProvider {
  if (!region) throw new TypeError('an AWS location needs a region')
  const api = ec2Client(region, env, { mayAct })
  const owner = { clusterId }
  return {
    list: (signal) => listOwned(api, owner, signal),
    find: (ids, signal) => findOwned(api, clusterId, ids, signal),
    terminate: (ids, signal) => terminateOwned({ api, owner, ids, isNew: () => false, signal }),
    deleteUnused: (isUsed, signal) =>
      orProblem(
        ec2Failure,
        `delete unused placement groups of cluster ${clusterId}`,
        () => deleteUnusedGroups(api, clusterId, isUsed, signal),
        signal,
      ),
    async close() {
      api.close()
    },
  }
}
