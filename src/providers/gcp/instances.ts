// Instances as Compute Engine describes them, the labels that say whose they are, and questions answered page by page.
import type { Instance, InstanceState } from '../../planner/index.ts'
import type { Ownership } from '../contract.ts'
import type { GceApi, GceInstance, GceOperation, InstancePage } from './client.ts'
import { GceError } from './errors.ts'
import { labelOf, ownerKeys, textOfLabel } from './labels.ts'
import { machineTypeName } from './machine-types.ts'

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

/** `launchedAt` is NaN when the time it was made cannot be read. */
export function instanceOf(instance: GceInstance, pool: string): Instance {
  const { name = '', status = '', scheduling } = instance
  const intentId = textOfLabel(instance.labels?.[intentKey] ?? '')
  const writerId = textOfLabel(instance.labels?.[writerKey] ?? '')
  const reason = reasonOf(instance)
  return {
    id: name,
    pool,
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

export function isOfCluster({ labels = {} }: GceInstance, clusterId: string): boolean {
  return labels[clusterKey] === labelOf(clusterId)
}

/** The pool that the label names. A name too long for a label is a hash there, and stays as the label has it. */
export function poolOfLabel({ labels = {} }: GceInstance): string {
  const label = labels[poolKey] ?? ''
  return textOfLabel(label) ?? label
}

export function clusterFilter(clusterId: string): string {
  return `(labels.${clusterKey} = "${labelOf(clusterId)}")`
}

/** https://google.aip.dev/160. Labels have no characters that mean something in a filter. */
export function ownerFilter({ clusterId, pool }: Ownership): string {
  return `${clusterFilter(clusterId)} AND (labels.${poolKey} = "${labelOf(pool)}")`
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

/** Every page of an answer that says with `nextPageToken` that there are more. Rejects for a page that leads back to one before it. */
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
      throw new GceError('foreignAnswer', 'the answer led to the same page again')
    if (token !== undefined) seen.add(token)
  } while (token)
}

/** What there is of an answer: every page, or those before `error`. */
export interface Answer {
  instances: GceInstance[]
  /** Zones that did not answer. */
  silent: string[]
  pages: number
  /** When the first page was answered. */
  at?: number
  error?: unknown
}

/** Instances of all zones, page by page. Rejects only with the reason of `signal`. */
export async function asked(
  api: GceApi,
  request: { project: string; filter: string },
  signal?: AbortSignal,
): Promise<Answer> {
  const answer: Answer = { instances: [], silent: [], pages: 0 }
  const silent = new Set<string>()
  try {
    for await (const page of pages((token) => api.listInstances({ ...request, ...token }, signal))) {
      for (const place of silentPlaces(page)) silent.add(place)
      answer.instances.push(...Object.values(page.items ?? {}).flatMap(({ instances = [] }) => instances))
      if (!answer.pages++ && page.at !== undefined) answer.at = page.at
    }
  } catch (error) {
    signal?.throwIfAborted()
    answer.error = error
  }
  return { ...answer, silent: [...silent] }
}

/** Those of the silent places in which one of these instances, which no zone showed, may be. */
export function silentZonesOf(
  missing: string[],
  silent: string[],
  zoneOf: (id: string) => string | undefined = () => undefined,
): string[] {
  return silent.filter((place) => missing.some((id) => (zoneOf(id) ?? lastPart(place)) === lastPart(place)))
}

export function silence(zones: string[]): GceError {
  return new GceError('SERVICE_UNAVAILABLE', `no answer from ${zones.join(', ')}`)
}

function silentPlaces({ items = {}, unreachables = [] }: InstancePage): string[] {
  const warned = Object.entries(items).filter(
    ([, { warning }]) => warning?.code && warning.code !== 'NO_RESULTS_ON_PAGE',
  )
  return [...unreachables, ...warned.map(([place]) => place)]
}

/** Throws when a page, or a zone of `region`, did not answer. */
export async function allInstances(
  api: GceApi,
  { region, ...request }: { project: string; filter: string; region: string },
  signal?: AbortSignal,
): Promise<GceInstance[]> {
  const { instances, silent, error } = await asked(api, request, signal)
  if (error) throw error
  const lacking = silent.filter((place) => lastPart(place).startsWith(`${region}-`))
  if (lacking.length) throw silence(lacking)
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
