// The part of Compute Engine's API that is used: the calls, the fields of their responses, and the client for them.
import { type Clock, notSentIn, retry } from '../../platform/index.ts'
import type { RegionalBulkInsert, ZonalBulkInsert } from './base-config.ts'
import { type Service, type ServiceClient, serviceClient } from './compute-package.ts'
import { codeOf, gceErrorIn, gceFailure } from './errors.ts'
import type { Endpoints, Send } from './transport.ts'

/** Rejects with a `GceError`, or with the reason of `signal` once that is aborted. */
export type GceCall<Request, Result> = (request: Request, signal?: AbortSignal) => Promise<Result>

/** All calls that the provisioner makes: what a fake has to answer, and what needs permissions. */
export interface GceApi {
  /** Sent once each: the provider retries them itself. */
  bulkInsert: GceCall<ZonalBulkInsert, GceOperation>
  bulkInsertInRegion: GceCall<RegionalBulkInsert, GceOperation>

  /** Resolves when the operation is done, or after two minutes with its state at that time. */
  waitInZone: GceCall<InZone & { operation: string }, GceOperation>
  waitInRegion: GceCall<{ project: string; region: string; operation: string }, GceOperation>
  listOperations: GceCall<
    InZone & { filter: string; pageToken?: string },
    { items?: GceOperation[]; nextPageToken?: string }
  >
  listInstances: GceCall<{ project: string; filter: string; pageToken?: string }, InstancePage>
  getInstance: GceCall<InZone & { instance: string }, GceInstance>
  /** Sent once: its retries keep the pace of all deletes. */
  deleteInstance: GceCall<InZone & { instance: string; requestId: string }, GceOperation>
  getSerialPortOutput: GceCall<
    InZone & { instance: string; port: number; start: string },
    { contents?: string }
  >
  getMachineType: GceCall<InZone & { machineType: string }, MachineType>
  getRegion: GceCall<{ project: string; region: string }, Region>

  /** Used by `provision check` only. */
  getAcceleratorType: GceCall<
    { project: string; zone: string; acceleratorType: string },
    { maximumCardsPerInstance?: number }
  >
  getImage: GceCall<{ project: string; image: string }, GceImage>
  getImageFromFamily: GceCall<{ project: string; family: string }, GceImage>
  getNetwork: GceCall<{ project: string; network: string }, { name?: string }>
  getSubnetwork: GceCall<
    { project: string; region: string; subnetwork: string },
    { name?: string; network?: string }
  >
  getProject: GceCall<{ project: string }, { quotas?: { metric?: string; limit?: number; usage?: number }[] }>
  /**
   * The permissions that the caller has, of those in the request; a call of the Resource Manager, not of Compute
   * Engine.
   */
  testPermissions: GceCall<{ project: string; permissions: string[] }, { permissions?: string[] }>

  close(): void
}

export interface GceInstance {
  name?: string
  zone?: string
  machineType?: string
  status?: string
  statusMessage?: string
  creationTimestamp?: string
  lastStopTimestamp?: string
  labels?: Record<string, string>
  scheduling?: { provisioningModel?: string; preemptible?: boolean }
  reservationAffinity?: { consumeReservationType?: string }
  resourceStatus?: { scheduling?: { terminationTimestamp?: string } }
  networkInterfaces?: GceInterface[]
}

/** https://cloud.google.com/compute/docs/reference/rest/v1/instances: of an IPv6 range, its first address is the VM's. */
export interface GceInterface {
  networkIP?: string
  ipv6Address?: string
  accessConfigs?: { natIP?: string }[]
  ipv6AccessConfigs?: { externalIpv6?: string }[]
}

export interface GceOperation {
  name?: string
  operationType?: string
  operationGroupId?: string
  status?: string
  insertTime?: string
  /** URLs; one of them contains where the operation is stored. */
  zone?: string
  region?: string
  targetLink?: string
  error?: { errors?: { code?: string; message?: string }[] }
  instancesBulkInsertOperationMetadata?: {
    perLocationStatus?: Record<string, { targetVmCount?: number; createdVmCount?: number }>
  }
}

export interface InstancePage {
  /** By `zones/us-central1-a`. */
  items?: Record<string, { instances?: GceInstance[]; warning?: { code?: string; message?: string } }>
  unreachables?: string[]
  nextPageToken?: string
  /** Time of the response by Google's clock (the `Date` header of RFC 9110), milliseconds since the epoch. */
  at?: number
}

export interface MachineType {
  guestCpus?: number
  accelerators?: { guestAcceleratorType?: string; guestAcceleratorCount?: number }[]
}

export interface Region {
  /** URLs. */
  zones?: string[]
  quotas?: { metric?: string; limit?: number; usage?: number }[]
}

interface InZone {
  project: string
  zone: string
}

export interface GceImage {
  name?: string
  status?: string
  diskSizeGb?: string
  deprecated?: { state?: string }
}

export interface GceClientInput {
  endpoints: Endpoints
  send: Send
  clock: Clock
}

/** https://cloud.google.com/compute/docs/reference/rest/v1/instances/aggregatedList: at most 500. */
export const pageSize = 500
const partialParameter = 'returnPartialSuccess'

function refuses(error: unknown, parameter: string): boolean {
  const known = gceErrorIn(error)
  return known?.status === 400 && known.message.includes(parameter)
}

export function gceClient({ endpoints, send, clock }: GceClientInput): GceApi {
  const made = new Map<Service, ServiceClient>()
  let partialSuccess = true

  function clientOf(service: Service): ServiceClient {
    const client = made.get(service) ?? serviceClient(service, endpoints.compute, send)
    made.set(service, client)
    return client
  }

  function once<Request extends object, Result>(service: Service, method: string): GceCall<Request, Result> {
    return async (request, signal) => {
      try {
        return (await clientOf(service).call(method, request, signal)) as Result
      } catch (error) {
        throw signal?.aborted ? error : (notSentIn(error) ?? gceErrorIn(error) ?? error)
      }
    }
  }

  function call<Request extends object, Result>(service: Service, method: string): GceCall<Request, Result> {
    const ask = once<Request, Result>(service, method)
    return (request, signal) => retry(() => ask(request, signal), { ...repeated(), clock, signal })
  }

  function pages<Request extends object, Result>(service: Service, method: string): GceCall<Request, Result> {
    const ask = call<Request & { maxResults: number }, Result>(service, method)
    return (request, signal) => ask({ ...request, maxResults: pageSize }, signal)
  }

  return {
    bulkInsert: once('Instances', 'bulkInsert'),
    bulkInsertInRegion: once('RegionInstances', 'bulkInsert'),
    waitInZone: call('ZoneOperations', 'wait'),
    waitInRegion: call('RegionOperations', 'wait'),
    listOperations: pages('ZoneOperations', 'list'),
    listInstances: (request, signal) =>
      retry(() => listInstances(request, signal), { ...repeated(), clock, signal }),
    getInstance: call('Instances', 'get'),
    deleteInstance: once('Instances', 'delete'),
    getSerialPortOutput: call('Instances', 'getSerialPortOutput'),
    getMachineType: call('MachineTypes', 'get'),
    getRegion: call('Regions', 'get'),
    getAcceleratorType: call('AcceleratorTypes', 'get'),
    getImage: call('Images', 'get'),
    getImageFromFamily: call('Images', 'getFromFamily'),
    getNetwork: call('Networks', 'get'),
    getSubnetwork: call('Subnetworks', 'get'),
    getProject: call('Projects', 'get'),
    testPermissions: ({ project, permissions }, signal) =>
      retry(() => testPermissions(project, permissions, signal), { ...repeated(), clock, signal }),
    close() {
      for (const client of made.values()) client.close().catch(() => {})
    },
  }

  /**
   * https://cloud.google.com/compute/docs/reference/rest/v1/instances/aggregatedList. Google's client neither returns the
   * time of the response nor sends `returnPartialSuccess`. Without that parameter, one unreachable zone fails the whole
   * listing; with it, the other zones are listed and the zone is named. Google removed the parameter from the description
   * of the API in September 2026: once it is refused, it is no longer sent.
   */
  async function listInstances(
    request: Parameters<GceApi['listInstances']>[0],
    signal?: AbortSignal,
  ): Promise<InstancePage> {
    const { project, filter, pageToken } = request
    const url = new URL(
      `/compute/v1/projects/${encodeURIComponent(project)}/aggregated/instances`,
      endpoints.compute,
    )
    url.searchParams.set('filter', filter)
    url.searchParams.set('maxResults', String(pageSize))
    if (pageToken) url.searchParams.set('pageToken', pageToken)
    const asksForPartial = partialSuccess
    if (asksForPartial) url.searchParams.set(partialParameter, 'true')
    try {
      const response = await send(url, signal ? { signal } : {})
      const at = Date.parse(response.headers.get('date') ?? '')
      const page = (await response.json()) as InstancePage
      return Number.isNaN(at) ? page : { ...page, at }
    } catch (error) {
      if (!asksForPartial || !refuses(error, partialParameter)) throw error
      partialSuccess = false
      return listInstances(request, signal)
    }
  }

  /** https://cloud.google.com/resource-manager/reference/rest/v1/projects/testIamPermissions */
  async function testPermissions(project: string, permissions: string[], signal?: AbortSignal) {
    const url = new URL(`/v1/projects/${project}:testIamPermissions`, endpoints.resourceManager)
    const response = await send(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ permissions }),
      ...(signal ? { signal } : {}),
    })
    return (await response.json()) as { permissions?: string[] }
  }
}

/** Calls without an answer: three take less than a minute, so that a listing shows why it failed. */
const mostUnanswered = 3

/** `timeouts` for one call that only reads, and ends sooner while no answer arrives. */
function repeated() {
  let unanswered = 0
  return {
    ...timeouts,
    isRetryable(error: unknown): boolean {
      if (['network', 'timeout'].includes(codeOf(error)) && ++unanswered >= mostUnanswered) return false
      return timeouts.isRetryable(error)
    },
  }
}

/**
 * For calls that may be retried unchanged, because they only read or carry a request id. Waits as long as the server
 * asks for; request quotas refill every minute.
 */
export const timeouts = {
  tries: 5,
  pauses: { first: 1_000, most: 8_000 },
  isRetryable(error: unknown): boolean {
    const { class: kind } = gceFailure(error, 'ask')
    // Google's library has already tried the token server four times.
    if (codeOf(error) === 'tokenServer') return false
    return kind === 'throttle' || kind === 'transient'
  },
  requestedPause: (error: unknown) => gceErrorIn(error)?.retryAfterMs,
}
