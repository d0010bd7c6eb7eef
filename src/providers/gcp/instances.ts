// A VM as Compute Engine tells it, and as we do.
import type { Instance, InstanceState } from '../../planner/instance.ts'
import type { Ownership } from '../ownership.ts'
import type { GceInstance } from './gce-api.ts'
import { labelOf, textOfLabel } from './label-text.ts'
import { ownerKeys } from './labels.ts'
import { machineTypeName } from './machine-type.ts'

/** https://cloud.google.com/compute/docs/instances/instance-lifecycle. A VM that has stopped keeps its disk: it is ended. */
const states: Record<string, InstanceState> = {
  PENDING: 'starting',
  PROVISIONING: 'starting',
  STAGING: 'starting',
  RUNNING: 'running',
  PENDING_STOP: 'stopping',
  STOPPING: 'stopping',
  SUSPENDING: 'stopping',
  DEPROVISIONING: 'stopping',
  STOPPED: 'stopped',
  SUSPENDED: 'stopped',
  TERMINATED: 'stopped',
}

const keys = ownerKeys({ clusterId: 'cluster', pool: 'pool', writerId: 'writer' }, 'intent')
const [clusterKey, poolKey, writerKey, intentKey] = Object.keys(keys) as [string, string, string, string]

/** For an instance of the owner's. `launchedAt` is NaN when the time it was made cannot be read. */
export function instanceOf(instance: GceInstance, owner: Ownership): Instance {
  const { name = '', status = '', scheduling } = instance
  const intentId = textOfLabel(instance.labels?.[intentKey] ?? '')
  const writerId = textOfLabel(instance.labels?.[writerKey] ?? '')
  const reason = reasonOf(instance)
  return {
    id: name,
    pool: owner.pool,
    state: states[status] ?? 'unknown',
    launchedAt: Date.parse(instance.creationTimestamp ?? ''),
    instanceType: machineTypeName(instance.machineType ?? ''),
    zone: lastPart(instance.zone),
    capacityType: scheduling?.provisioningModel === 'SPOT' || scheduling?.preemptible ? 'spot' : 'on_demand',
    ...(intentId ? { intentId } : {}),
    ...(writerId ? { writerId } : {}),
    ...(reason ? { stateReason: reason } : {}),
  }
}

/** Compute Engine seldom says why a VM has stopped. */
function reasonOf({ status = '', statusMessage, lastStopTimestamp }: GceInstance): string | undefined {
  if (statusMessage) return statusMessage
  if (states[status] !== 'stopped') return undefined
  return lastStopTimestamp ? `${status} since ${lastStopTimestamp}` : status
}

/** Ours are those with the cluster's and the pool's label; nothing else decides. */
export function isOurs({ labels = {} }: GceInstance, { clusterId, pool }: Ownership): boolean {
  return labels[clusterKey] === labelOf(clusterId) && labels[poolKey] === labelOf(pool)
}

/** https://google.aip.dev/160. Labels have no characters that mean something in a filter. */
export function ownerFilter({ clusterId, pool }: Ownership): string {
  return `(labels.${clusterKey} = "${labelOf(clusterId)}") AND (labels.${poolKey} = "${labelOf(pool)}")`
}

export function intentFilter(owner: Ownership, intentId: string): string {
  return `${ownerFilter(owner)} AND (labels.${intentKey} = "${labelOf(intentId)}")`
}

export function namesFilter(names: string[]): string {
  return names.map((name) => `(name = "${name}")`).join(' OR ')
}

/** What Compute Engine can be asked about: anything else is the name of no VM. */
export function isName(id: string): boolean {
  return /^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(id)
}

/** `us-central1-a` of a URL that ends so. */
export function lastPart(url = ''): string {
  return url.split('/').at(-1) ?? ''
}
