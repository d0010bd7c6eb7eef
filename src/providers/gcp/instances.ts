// The pool's VMs as Compute Engine lists them, why they have stopped where it can be known, and the zone each is in.
import type { Instance, InstanceState } from '../../planner/index.ts'
import type { Clock } from '../../platform/index.ts'
import { problem } from '../../problems/index.ts'
import type { Listing, Ownership } from '../contract.ts'
import type { GceApi, GceInstance, GceOperation, InstancePage } from './client.ts'
import { GceError, gceFailure } from './errors.ts'
import { labelOf, ownerKeys, textOfLabel } from './labels.ts'
import { machineTypeName } from './machine-types.ts'

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

interface Page {
  nextPageToken?: string
}

/** Every page of an answer that says with `nextPageToken` that there are more. */
async function* pages<P extends Page>(
  fetchPage: (token: { pageToken?: string }) => Promise<P>,
): AsyncGenerator<P> {
  let token: string | undefined
  do {
    const page = await fetchPage(token ? { pageToken: token } : {})
    yield page
    token = page.nextPageToken || undefined
  } while (token)
}

interface InstanceQuestion {
  project: string
  filter: string
  /** Of the pool. VMs of all regions are listed, but the outage of another must not hold this one up. */
  region: string
}

/** VMs of all zones, page by page. A zone of the region that did not answer is thrown after the last page. */
async function* instancePages(
  api: GceApi,
  { region, ...request }: InstanceQuestion,
  signal?: AbortSignal,
): AsyncGenerator<GceInstance[]> {
  const silent = new Set<string>()
  for await (const page of pages((token) => api.listInstances({ ...request, ...token }, signal))) {
    for (const place of silentPlaces(page)) if (lastPart(place).startsWith(`${region}-`)) silent.add(place)
    yield Object.values(page.items ?? {}).flatMap(({ instances = [] }) => instances)
  }
  if (silent.size) throw new GceError('SERVICE_UNAVAILABLE', `no answer from ${[...silent].join(', ')}`)
}

function silentPlaces({ items = {}, unreachables = [] }: InstancePage): string[] {
  const warned = Object.entries(items).filter(
    ([, { warning }]) => warning?.code && warning.code !== 'NO_RESULTS_ON_PAGE',
  )
  return [...unreachables, ...warned.map(([place]) => place)]
}

export async function allInstances(
  api: GceApi,
  request: InstanceQuestion,
  signal?: AbortSignal,
): Promise<GceInstance[]> {
  const found: GceInstance[] = []
  for await (const page of instancePages(api, request, signal)) found.push(...page)
  return found
}

export async function allOperations(
  api: GceApi,
  request: { project: string; zone: string; filter: string },
  signal?: AbortSignal,
): Promise<GceOperation[]> {
  const found: GceOperation[] = []
  for await (const { items = [] } of pages((token) => api.listOperations({ ...request, ...token }, signal)))
    found.push(...items)
  return found
}

/** A listing shows new VMs within seconds, and within a minute at its worst. */
const newMs = 300_000

interface Known {
  zone: string
  firstSeen: number
  /** Launched by this provider, rather than found. */
  launched: boolean
}

/** Remembers the zone each VM is in, because Compute Engine asks for it, and when it was first seen. */
export function whereabouts(clock: Clock) {
  let known = new Map<string, Known>()

  function remember(instance: Instance, launched: boolean): [id: string, Known] {
    const { zone, id } = instance
    return [id, known.get(id) ?? { zone, firstSeen: clock.now(), launched }]
  }

  const isNew = ({ launched, firstSeen }: Known) => launched && clock.now() - firstSeen < newMs

  return {
    /** The instances of a listing; a complete one says who is gone, too. Unreadable times become that of the first sight. */
    seen({ instances, complete }: Pick<Listing, 'instances' | 'complete'>): Instance[] {
      const kept = [...known].filter(([, one]) => !complete || isNew(one))
      known = new Map([...kept, ...instances.map((one) => remember(one, false))])
      return instances.map(dated)
    },
    launched(instances: Instance[]): Instance[] {
      for (const instance of instances) known.set(...remember(instance, true))
      return instances.map(dated)
    },
    zoneOf: (id: string): string | undefined => known.get(id)?.zone,
    zoneOfNew(id: string): string | undefined {
      const one = known.get(id)
      return one && isNew(one) ? one.zone : undefined
    },
  }

  function dated(instance: Instance): Instance {
    if (!Number.isNaN(instance.launchedAt)) return instance
    return { ...instance, launchedAt: known.get(instance.id)!.firstSeen }
  }
}
