// Loads Google's Compute Engine client: only the services used here, with descriptors of nothing else.
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
import { fallback, GoogleAuth } from 'google-gax'
import { type Descriptors, type Namespace, pruneDescriptors } from './base-config.ts'
import type { GoogleAuthLike, Send } from './transport.ts'

/** Every call that is made, by service; the client drops what is not here. */
const calls = {
  AcceleratorTypes: ['Get'],
  Images: ['Get', 'GetFromFamily'],
  Instances: ['AggregatedList', 'BulkInsert', 'Delete', 'Get', 'GetSerialPortOutput'],
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

/** What the generated clients have in common: each call of the API as a function. */
export interface ServiceClient {
  initialize(): Promise<unknown>
  innerApiCalls: Record<string, (request: object, options: object) => CancellablePromise>
  close(): Promise<void>
}

export type CancellablePromise = Promise<[response: unknown, next: unknown, raw: unknown]> & {
  cancel(): void
}

/** A client of the service that sends through `send` and looks for no credentials of its own. */
export function serviceClient(service: Service, endpoint: URL, send: Send): ServiceClient {
  const options = {
    apiEndpoint: endpoint.hostname,
    port: Number(endpoint.port) || (endpoint.protocol === 'http:' ? 80 : 443),
    protocol: endpoint.protocol.slice(0, -1),
    fallback: true,
    auth: { getClient: async () => ({}), fetch: send },
  }
  const make = clients[service] as unknown as new (options: object, gax: object) => ServiceClient
  return new make(options, { fallback: { ...fallback, GrpcClient: LeanGrpcClient } })
}

/** Google's own search for credentials: variables, files of gcloud, then the metadata server. */
export function googleAuth(projectId: string): GoogleAuthLike {
  // Without a project it would run gcloud to find one.
  const auth = new GoogleAuth({ projectId, scopes: ['https://www.googleapis.com/auth/cloud-platform'] })
  // A key file then signs its own tokens, as it does for the client itself.
  auth.useJWTAccessWithScope = true
  return auth
}

/** Messages of the API by name, as far as they are used here. */
export function messages(): Namespace {
  if (!pruned) serviceClient('Instances', new URL('https://compute.googleapis.com'), globalThis.fetch)
  return pruned!.nested.google.nested.cloud.nested.compute.nested.v1.nested
}

let pruned: Descriptors | undefined

type GrpcClient = InstanceType<typeof fallback.GrpcClient>

class LeanGrpcClient extends fallback.GrpcClient {
  override loadProtoJSON(json: Parameters<GrpcClient['loadProtoJSON']>[0]) {
    pruned ??= pruneDescriptors(json as unknown as Descriptors, calls)
    return super.loadProtoJSON(pruned as unknown as typeof json)
  }
}
