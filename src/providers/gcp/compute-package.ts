// Google's Compute Engine client, with only the services and descriptors that are used here. This is the only file that
// relies on undocumented parts of Google's packages; test/unit/providers/gcp/compute-package.test.ts tests them.
import { AcceleratorTypesClient } from '@google-cloud/compute/build/src/v1/accelerator_types_client.js'
import { ImagesClient } from '@google-cloud/compute/build/src/v1/images_client.js'
import { InstancesClient } from '@google-cloud/compute/build/src/v1/instances_client.js'
import { MachineTypesClient } from '@google-cloud/compute/build/src/v1/machine_types_client.js'
import { NetworksClient } from '@google-cloud/compute/build/src/v1/networks_client.js'
import { ProjectsClient } from '@google-cloud/compute/build/src/v1/projects_client.js'
import { RegionInstancesClient } from '@google-cloud/compute/build/src/v1/region_instances_client.js'
import { RegionOperationsClient } from '@google-cloud/compute/build/src/v1/region_operations_client.js'
import { RegionsClient } from '@google-cloud/compute/build/src/v1/regions_client.js'
import { SubnetworksClient } from '@google-cloud/compute/build/src/v1/subnetworks_client.js'
import { ZoneOperationsClient } from '@google-cloud/compute/build/src/v1/zone_operations_client.js'
import { fallback, GoogleAuth, googleAuthLibrary } from 'google-gax'
import { type Environment, type Fetch, outgoingFetch } from '../../platform/index.ts'
import type { GoogleAuthLike, Send } from './transport.ts'

/** All calls that are made, by service; others are removed from the client. */
export const calls = {
  AcceleratorTypes: ['Get'],
  Images: ['Get', 'GetFromFamily'],
  Instances: ['BulkInsert', 'Delete', 'Get', 'GetSerialPortOutput'],
  MachineTypes: ['Get'],
  Networks: ['Get'],
  Projects: ['Get'],
  RegionInstances: ['BulkInsert'],
  RegionOperations: ['Wait'],
  Regions: ['Get'],
  Subnetworks: ['Get'],
  ZoneOperations: ['List', 'Wait'],
}
export type Service = keyof typeof calls

const clients = {
  AcceleratorTypes: AcceleratorTypesClient,
  Images: ImagesClient,
  Instances: InstancesClient,
  MachineTypes: MachineTypesClient,
  Networks: NetworksClient,
  Projects: ProjectsClient,
  RegionInstances: RegionInstancesClient,
  RegionOperations: RegionOperationsClient,
  Regions: RegionsClient,
  Subnetworks: SubnetworksClient,
  ZoneOperations: ZoneOperationsClient,
} satisfies Record<Service, unknown>

/** One service of the API. */
export interface ServiceClient {
  /** Sends once, and resolves with the response. Rejects with the package's error, or with the reason of `signal`. */
  call(method: string, request: object, signal?: AbortSignal): Promise<unknown>
  close(): Promise<void>
}

/** The common interface of the generated clients: each call of the API is a function. */
interface GeneratedClient {
  initialize(): Promise<unknown>
  innerApiCalls: Record<string, (request: object, options: object) => CancellablePromise>
  close(): Promise<void>
}

type CancellablePromise = Promise<[response: unknown, next: unknown, page: unknown]> & { cancel(): void }

/** The client's own retries are off, and its deadline is later than the transport's. */
const settings = { retry: null, timeout: 300_000, autoPaginate: false }

/** A client of the service that sends through `send` and does not search for credentials. */
export function serviceClient(service: Service, endpoint: URL, send: Send): ServiceClient {
  const options = {
    apiEndpoint: endpoint.hostname,
    port: Number(endpoint.port) || (endpoint.protocol === 'http:' ? 80 : 443),
    protocol: endpoint.protocol.slice(0, -1),
    fallback: true,
    auth: { getClient: async () => ({}), fetch: send },
  }
  const make = clients[service] as unknown as new (options: object, gax: object) => GeneratedClient
  const client = new make(options, { fallback: { ...fallback, GrpcClient: PrunedGrpcClient } })
  return {
    async call(method, request, signal) {
      signal?.throwIfAborted()
      await client.initialize()
      const answer = client.innerApiCalls[method]!(request, settings)
      const cancel = () => answer.cancel()
      signal?.addEventListener('abort', cancel, { once: true })
      try {
        const [response, , page] = await answer
        return page ?? response
      } catch (error) {
        throw signal?.aborted ? signal.reason : error
      } finally {
        signal?.removeEventListener('abort', cancel)
      }
    },
    close: () => client.close(),
  }
}

/** Google's search for credentials: environment variables, files of gcloud, then the metadata server. */
export function googleAuth(projectId: string, env: Environment): GoogleAuthLike {
  keepMetadataDirect(env)
  // Without a project it would run gcloud to find one.
  const auth = new GoogleAuth({
    projectId,
    scopes: ['https://www.googleapis.com/auth/cloud-platform'],
    clientOptions: { transporterOptions: { fetchImplementation: answeredFetch(outgoingFetch(env)) } },
  })
  // With this, a key file signs its own tokens, as in the client.
  auth.useJWTAccessWithScope = true
  return auth
}

/** The part of Google's library that checks tokens which Google signed. */
export interface TokenClient {
  /** By the id of the key; kept for as long as Google says. */
  certificates(): Promise<unknown>
  /** The claims of a token with a good signature, at its time; `lifetime`: the longest, in seconds. */
  claims(token: string, keys: TokenKeys, wanted: TokenWanted): Promise<Record<string, unknown>>
}

export type TokenKeys = Readonly<Record<string, string>>

export interface TokenWanted {
  audience: string
  issuer: string
  lifetime: number
}

export function tokenClient(fetch: Fetch): TokenClient {
  const client = new googleAuthLibrary.OAuth2Client({ transporterOptions: { fetchImplementation: fetch } })
  return {
    certificates: async () => (await client.getFederatedSignonCertsAsync()).certs,
    async claims(token, keys, { audience, issuer, lifetime }) {
      const ticket = await client.verifySignedJwtWithCertsAsync(token, keys, audience, [issuer], lifetime)
      return { ...ticket.getPayload() }
    },
  }
}

/** Milliseconds. The library has no timeout, and all calls wait for the token that one has asked for. */
const tokenTimeout = 15_000

/** Exported for its tests. */
export function answeredFetch(fetch: Fetch, timeoutMs = tokenTimeout): Fetch {
  return (input, init = {}) => {
    const late = AbortSignal.timeout(timeoutMs)
    return fetch(input, { ...init, signal: init.signal ? AbortSignal.any([init.signal, late]) : late })
  }
}

const metadataHosts = ['169.254.169.254', 'metadata.google.internal', 'metadata.google.internal.']

/** Google's library would ask the metadata server through the proxy, which has another one or none. */
function keepMetadataDirect(env: Environment): void {
  const own = [env['GCE_METADATA_HOST'], env['GCE_METADATA_IP']].flatMap((host) =>
    host ? [URL.parse(`http://${host.replace(/^https?:\/\//, '')}`)?.hostname ?? host] : [],
  )
  // The client that its part for the metadata server uses.
  const { instance } = googleAuthLibrary.gaxios
  const { noProxy = [] } = instance.defaults
  const missing = [...metadataHosts, ...own].filter((host) => !noProxy.includes(host))
  instance.defaults = { ...instance.defaults, noProxy: [...noProxy, ...missing] }
}

let pruned: Descriptors | undefined

type GrpcClient = InstanceType<typeof fallback.GrpcClient>

class PrunedGrpcClient extends fallback.GrpcClient {
  override loadProtoJSON(json: Parameters<GrpcClient['loadProtoJSON']>[0]) {
    pruned ??= pruneDescriptors(json as unknown as Descriptors, calls)
    return super.loadProtoJSON(pruned as unknown as typeof json)
  }
}

// Reduces the client's descriptors to the calls made here: building types for all of Compute Engine, in three versions,
// takes a second and 200 MiB (npm run bench gcp).

interface Message {
  fields?: Record<string, { type: string; keyType?: string }>
}

interface ServiceDescriptor {
  options?: object
  methods: Record<string, { requestType: string; responseType: string }>
}

type Namespace = Record<string, Message | ServiceDescriptor>

/** The part of protobuf.js's JSON descriptor (https://protobufjs.github.io/protobuf.js/) that is read here. */
interface Descriptors {
  nested: {
    google: { nested: { cloud: { nested: { compute: { nested: { v1: { nested: Namespace } } } } } } }
  }
}

/**
 * A copy of the descriptors with only `calls` (`{Instances: ['Get', …]}`) and their messages. The input is not changed,
 * because a program that embeds this library may also use the client.
 */
export function pruneDescriptors<D extends Descriptors>(descriptors: D, calls: Record<string, string[]>): D {
  const { google } = descriptors.nested
  const { cloud } = google.nested
  const all = cloud.nested.compute.nested.v1.nested
  const kept: Namespace = {}
  for (const [name, wanted] of Object.entries(calls)) {
    const service = all[name] as ServiceDescriptor
    const methods = Object.entries(service.methods).filter(([method]) => wanted.includes(method))
    kept[name] = { ...service, methods: Object.fromEntries(methods) }
    for (const [, { requestType, responseType }] of methods) {
      keep(requestType)
      keep(responseType)
    }
  }

  /** Enums are nested in the messages that use them. */
  function keep(type: string): void {
    const name = type.split('.').at(-1) ?? type
    const message = all[name] as Message | undefined
    if (!message || kept[name]) return
    kept[name] = message
    for (const field of Object.values(message.fields ?? {})) keep(field.type)
  }

  const compute = { nested: { v1: { nested: kept } } }
  const pruned = { ...google, nested: { ...google.nested, cloud: { ...cloud, nested: { compute } } } }
  return { ...descriptors, nested: { ...descriptors.nested, google: pruned } }
}
