// Google's client behind the calls of gce-api.ts and check-api.ts.
import type { Clock } from '../../platform/ports.ts'
import type { GceCheckApi } from './check-api.ts'
import { type Service, type ServiceClient, serviceClient } from './compute-package.ts'
import type { Endpoints } from './endpoint.ts'
import { gceErrorIn } from './errors.ts'
import type { GceCall } from './gce-api.ts'
import { patiently } from './patience.ts'
import type { Send } from './transport.ts'

export interface GceClientInput {
  endpoints: Endpoints
  send: Send
  clock: Clock
}

/** The client's own retries are off, and its deadline is beyond that of the transport. */
const settings = { retry: null, timeout: 300_000, autoPaginate: false }

/** https://cloud.google.com/compute/docs/reference/rest/v1/instances/aggregatedList: at most 500. */
const pageSize = 500

export function gceClient({ endpoints, send, clock }: GceClientInput): GceCheckApi {
  const made = new Map<Service, ServiceClient>()

  function clientOf(service: Service): ServiceClient {
    const client = made.get(service) ?? serviceClient(service, endpoints.compute, send)
    made.set(service, client)
    return client
  }

  function once<Request extends object, Result>(service: Service, method: string): GceCall<Request, Result> {
    return async (request, signal) => {
      signal?.throwIfAborted()
      const client = clientOf(service)
      await client.initialize()
      const answer = client.innerApiCalls[method]!(request, settings)
      const cancel = () => answer.cancel()
      signal?.addEventListener('abort', cancel, { once: true })
      try {
        const [response, , page] = await answer
        return (page ?? response) as Result
      } catch (error) {
        throw signal?.aborted ? signal.reason : (gceErrorIn(error) ?? error)
      } finally {
        signal?.removeEventListener('abort', cancel)
      }
    }
  }

  function call<Request extends object, Result>(service: Service, method: string): GceCall<Request, Result> {
    const ask = once<Request, Result>(service, method)
    return (request, signal) => patiently(() => ask(request, signal), clock, signal)
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
    listInstances: pages('Instances', 'aggregatedList'),
    getInstance: call('Instances', 'get'),
    deleteInstance: call('Instances', 'delete'),
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
      patiently(() => testPermissions(project, permissions, signal), clock, signal),
    close() {
      for (const client of made.values()) client.close().catch(() => {})
    },
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
