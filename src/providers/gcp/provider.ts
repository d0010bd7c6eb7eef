// Agents on Google Compute Engine.

import { limit } from '../../platform/limit.ts'
import type { MetadataOptions } from '../../platform/metadata-server.ts'
import { ProvisionError } from '../../problems/problem.ts'
import type { Provider, ProviderContext } from '../contract.ts'
import type { LaunchOrder, LaunchResult, Listing } from '../launch.ts'
import { gceClient } from './client.ts'
import { googleAuth, messages } from './compute-package.ts'
import { consoleStage } from './console-stage.ts'
import { applicationDefault } from './credentials.ts'
import { endpointsOf } from './endpoint.ts'
import type { GceApi } from './gce-api.ts'
import { gceFailure } from './gce-failure.ts'
import type { GcpConfig } from './gcp-config.ts'
import { launchVms } from './launch.ts'
import { regionOf } from './launch-steps.ts'
import { listPool } from './list.ts'
import { onlineFacts } from './online-facts.ts'
import { type Place, placeOf } from './place.ts'
import { gcpLaunch } from './request.ts'
import { slotsOf } from './slots.ts'
import { strangeFields } from './strange-fields.ts'
import { terminatePool } from './terminate.ts'
import { transport } from './transport.ts'
import { whereabouts } from './whereabouts.ts'

export { check } from './gcp-check.ts'

/**
 * Throws PROVIDER_CONFIG when no project or zone is known, and REQUEST_BASE_CONFIG for fields the API does not have.
 * Credentials are looked for at the first call.
 */
export async function create(context: ProviderContext): Promise<Provider> {
  const { clock, env } = context
  const metadata: MetadataOptions = { fetch: globalThis.fetch, clock, env }
  const endpoints = endpointsOf(env)
  const config = context.config as GcpConfig
  const place = await placeOf(config, metadata)
  const strange = strangeFields(config.base_config, messages())
  if (strange.length) throw new ProvisionError(strange)
  const send = transport({
    credentials: applicationDefault(googleAuth(place.project)),
    fetch: globalThis.fetch,
  })
  return gcpProvider(context, gceClient({ endpoints, send, clock }), place, metadata)
}

/** The provider over any Compute Engine. */
export function gcpProvider(
  context: ProviderContext,
  api: GceApi,
  place: Place,
  metadata: MetadataOptions,
): Provider {
  const { owner, clock, master } = context
  const config = context.config as GcpConfig
  const { project } = place
  const pool = { api, owner, project, region: regionOf(place.zone) }
  const factsOf = onlineFacts({ api, config, place, clock, metadata })
  const known = whereabouts(clock)
  const slots = new Map<string, number>()
  // Consoles are read when many VMs have failed at once.
  const fewConsoles = limit(4)

  async function prepare({ owner: by, intent, userData }: LaunchOrder, signal?: AbortSignal) {
    const startupScript = Buffer.from(userData.packed).toString('utf8')
    const facts = { ...(await factsOf(signal)), startupScript }
    return gcpLaunch({ config, owner: by, setup: { master }, intent }, facts)
  }

  async function list(signal?: AbortSignal): Promise<Listing> {
    const listing = await listPool({ ...pool, signal })
    return { ...listing, instances: known.seen(listing) }
  }

  async function launch(order: LaunchOrder, signal?: AbortSignal): Promise<LaunchResult> {
    const operationTimeoutMs = config.operation_timeout_period
    const result = await launchVms(order, { api, clock, operationTimeoutMs, prepare }, signal)
    return { ...result, instances: known.launched(result.instances) }
  }

  async function slotsOfType(machineType: string, signal?: AbortSignal): Promise<number | undefined> {
    const count = slots.get(machineType) ?? (await slotsOf(api, config, { ...place, machineType }, signal))
    if (count !== undefined) slots.set(machineType, count)
    return count
  }

  async function stageOf(instance: string, signal?: AbortSignal) {
    if (known.zoneOf(instance) === undefined) await list(signal)
    const zone = known.zoneOf(instance)
    return zone === undefined ? undefined : consoleStage(api, { project, zone, instance }, signal)
  }

  return {
    kind: 'gcp',
    list,
    launch,
    terminate: (ids, signal) => terminatePool({ ...pool, ids, zoneOfNew: known.zoneOfNew, signal }),
    slotsOf: (type, signal) => orProblem(`describe ${type}`, () => slotsOfType(type, signal), signal),
    consoleStage: (id, signal) =>
      fewConsoles(() => orProblem(`read the console of ${id}`, () => stageOf(id, signal), signal)),
    async close() {
      api.close()
    },
  }
}

/** A question that has no place for a failure in its answer throws it, as a problem of ours. */
async function orProblem<T>(doing: string, ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    signal?.throwIfAborted()
    throw new ProvisionError(gceFailure(error, doing).problem)
  }
}
