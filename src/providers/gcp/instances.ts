// Instances as Compute Engine describes them, the labels that identify their owner, and paged queries.
import { setImmediate } from 'node:timers/promises'
import { type CapacityType, endNotice, type Instance, type InstanceState } from '../../planner/index.ts'
import { addressesOf } from '../addresses.ts'
import type { Ownership } from '../contract.ts'
import type { GceApi, GceInstance, GceOperation, InstancePage } from './client.ts'
import { GceError } from './errors.ts'
import { labelOf, ownerKeys, textOfLabel } from './labels.ts'
import { machineTypeName } from './machine-types.ts'

/**
 * https://cloud.google.com/compute/docs/instances/instance-lifecycle. A stopped VM keeps its disk: it is `stopped`, and
 * is terminated.
 */
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

const shortestLimited = endNotice + 10 * 60_000

const keys = ownerKeys({ clusterId: 'cluster', pool: 'pool', writerId: 'writer' }, 'intent')
const [clusterKey, poolKey, writerKey, intentKey] = Object.keys(keys) as [string, string, string, string]

/** `launchedAt` is NaN when the creation time cannot be parsed. */
export function instanceOf(instance: GceInstance, pool: string): Instance {
  const { name = '', status = '' } = instance
  const launchedAt = Date.parse(instance.creationTimestamp ?? '')
  const endsAt = endOf(instance, launchedAt)
  const intentId = textOfLabel(instance.labels?.[intentKey] ?? '')
  const writerId = textOfLabel(instance.labels?.[writerKey] ?? '')
  const reason = reasonOf(instance)
  return {
    id: name,
    pool,
    state: states[status] ?? 'unknown',
    launchedAt,
    instanceType: machineTypeName(instance.machineType ?? ''),
    zone: lastPart(instance.zone),
    capacityType: capacityOf(instance),
    ...(endsAt === undefined ? {} : { endsAt }),
    ...(intentId ? { intentId } : {}),
    ...(writerId ? { writerId } : {}),
    ...(reason ? { stateReason: reason } : {}),
    ...(instance.zone ? { offeredZone: lastPart(instance.zone) } : {}),
    ...addressesOf(addressesIn(instance)),
  }
}

function* addressesIn({ networkInterfaces = [] }: GceInstance): Iterable<string | undefined> {
  for (const { networkIP, ipv6Address, accessConfigs = [], ipv6AccessConfigs = [] } of networkInterfaces) {
    yield networkIP
    yield ipv6Address
    for (const { natIP } of accessConfigs) yield natIP
    for (const { externalIpv6 } of ipv6AccessConfigs) yield externalIpv6
  }
}

function capacityOf({ scheduling, reservationAffinity }: GceInstance): CapacityType {
  if (scheduling?.provisioningModel === 'SPOT' || scheduling?.preemptible) return 'spot'
  return reservationAffinity?.consumeReservationType === 'SPECIFIC_RESERVATION' ? 'reserved' : 'on_demand'
}

/**
 * When Compute Engine terminates it (https://cloud.google.com/compute/docs/instances/limit-vm-runtime). Undefined where a
 * drain before it would leave no time for jobs.
 */
function endOf({ resourceStatus }: GceInstance, launchedAt: number): number | undefined {
  const endsAt = Date.parse(resourceStatus?.scheduling?.terminationTimestamp ?? '')
  return endsAt - launchedAt >= shortestLimited ? endsAt : undefined
}

/** Compute Engine rarely reports why a VM has stopped. */
function reasonOf({ status = '', statusMessage, lastStopTimestamp }: GceInstance): string | undefined {
  if (statusMessage) return statusMessage
  if (states[status] !== 'stopped') return undefined
  return lastStopTimestamp ? `${status} since ${lastStopTimestamp}` : status
}

/** Managed are those with the cluster's and the pool's label; nothing else decides. */
export function isManaged({ labels = {} }: GceInstance, { clusterId, pool }: Ownership): boolean {
  return labels[clusterKey] === labelOf(clusterId) && labels[poolKey] === labelOf(pool)
}

export function isOfCluster({ labels = {} }: GceInstance, clusterId: string): boolean {
  return labels[clusterKey] === labelOf(clusterId)
}

/** The pool in the label. A name that is too long for a label is a hash there, and is returned as it is. */
export function poolOfLabel({ labels = {} }: GceInstance): string {
  const label = labels[poolKey] ?? ''
  return textOfLabel(label) ?? label
}

export function clusterFilter(clusterId: string): string {
  return `(labels.${clusterKey} = "${labelOf(clusterId)}")`
}

/** https://google.aip.dev/160. Labels contain no character with a meaning in a filter. */
export function ownerFilter({ clusterId, pool }: Ownership): string {
  return `${clusterFilter(clusterId)} AND (labels.${poolKey} = "${labelOf(pool)}")`
}

export function intentFilter(owner: Ownership, intentId: string): string {
  return `${ownerFilter(owner)} AND (labels.${intentKey} = "${labelOf(intentId)}")`
}

/**
 * Characters. Compute Engine refuses longer filters; its documentation gives no limit, the authors of Kubernetes measured
 * it: https://github.com/kubernetes/kubernetes/pull/27741.
 */
const longestFilter = 4096

/** The names in as few queries as their length allows: 52 of the longest ones, more of shorter ones. */
export function nameQueries(names: string[]): { names: string[]; filter: string }[] {
  const queries: { names: string[]; filter: string }[] = []
  for (const name of names) {
    const last = queries.at(-1)
    const term = `(name = "${name}")`
    if (!last || last.filter.length + ' OR '.length + term.length > longestFilter)
      queries.push({ names: [name], filter: term })
    else {
      last.names.push(name)
      last.filter += ` OR ${term}`
    }
  }
  return queries
}

/** Whether Compute Engine accepts the id as a name; any other id belongs to no VM. */
export function isName(id: string): boolean {
  return /^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(id)
}

/** `us-central1-a` from a URL that ends with it. */
export function lastPart(url = ''): string {
  return url.split('/').at(-1) ?? ''
}

interface Page {
  nextPageToken?: string
}

/** All pages of a response with `nextPageToken`. Rejects when a token leads back to an earlier page. */
async function* pages<P extends Page>(
  fetchPage: (token: { pageToken?: string }) => Promise<P>,
): AsyncGenerator<P> {
  const seen = new Set<string>()
  let token: string | undefined
  do {
    const page = await fetchPage(token ? { pageToken: token } : {})
    yield page
    token = page.nextPageToken || undefined
    if (token !== undefined && seen.has(token))
      throw new GceError('foreignAnswer', 'the response led to the same page again')
    if (token !== undefined) seen.add(token)
  } while (token)
}

/** The result of a query: all pages, or those before `error`. */
export interface Answer<T = GceInstance> {
  instances: T[]
  /** Zones that did not respond. */
  unreachable: string[]
  pages: number
  /** Time of the first page. */
  at?: number
  error?: unknown
}

/**
 * Instances of all zones, page by page. `read` is called for each page as it arrives: all of a large fleet at once would
 * block the event loop. Rejects only with the reason of `signal`.
 */
export async function queryInstances<T>(
  api: GceApi,
  request: { project: string; filter: string },
  read: (page: GceInstance[]) => T[],
  signal?: AbortSignal,
): Promise<Answer<T>> {
  const answer: Answer<T> = { instances: [], unreachable: [], pages: 0 }
  const unreachable = new Set<string>()
  try {
    for await (const page of pages((token) => api.listInstances({ ...request, ...token }, signal))) {
      // Parsing the page took milliseconds, too.
      await setImmediate()
      for (const zone of unreachableZonesIn(page)) unreachable.add(zone)
      answer.instances.push(
        ...read(Object.values(page.items ?? {}).flatMap(({ instances = [] }) => instances)),
      )
      if (!answer.pages++ && page.at !== undefined) answer.at = page.at
    }
  } catch (error) {
    signal?.throwIfAborted()
    answer.error = error
  }
  return { ...answer, unreachable: [...unreachable] }
}

/** Those of the silent zones in which one of these instances, which no zone listed, may be. */
export function relevantZones(
  missing: string[],
  unreachable: string[],
  zoneOf: (id: string) => string | undefined = () => undefined,
): string[] {
  return unreachable.filter((zone) => missing.some((id) => (zoneOf(id) ?? lastPart(zone)) === lastPart(zone)))
}

export function noResponse(zones: string[]): GceError {
  return new GceError('SERVICE_UNAVAILABLE', `no response from ${zones.join(', ')}`)
}

function unreachableZonesIn({ items = {}, unreachables = [] }: InstancePage): string[] {
  const warned = Object.entries(items).filter(
    ([, { warning }]) => warning?.code && warning.code !== 'NO_RESULTS_ON_PAGE',
  )
  return [...unreachables, ...warned.map(([zone]) => zone)]
}

/** Throws when a page, or a zone of `region`, failed. */
export async function allInstances(
  api: GceApi,
  { region, ...request }: { project: string; filter: string; region: string },
  signal?: AbortSignal,
): Promise<GceInstance[]> {
  const { instances, unreachable, error } = await queryInstances(api, request, (page) => page, signal)
  if (error) throw error
  const missingZones = unreachable.filter((zone) => lastPart(zone).startsWith(`${region}-`))
  if (missingZones.length) throw noResponse(missingZones)
  return instances
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
