// Agents on Google Compute Engine.

import { randomUUID } from 'node:crypto'
import { lastStage, type Stage } from '../../agent-setup/index.ts'
import { limit, type MetadataOptions } from '../../platform/index.ts'
import { ProvisionError } from '../../problems/index.ts'
import type {
  LaunchOrder,
  LaunchResult,
  Listing,
  Ownership,
  Provider,
  ProviderContext,
  TerminateResult,
} from '../contract.ts'
import { orProblem } from '../failure.ts'
import { terminateOwn } from '../launch-steps.ts'
import { keptSlots } from '../online-facts.ts'
import { strangeFields } from './base-config.ts'
import { type GceApi, type GceInstance, gceClient } from './client.ts'
import { googleAuth, messages } from './compute-package.ts'
import { gceFailure, isNotFound } from './errors.ts'
import { allInstances, isName, isOurs, lastPart, listPool, namesFilter, whereabouts } from './instances.ts'
import { launchVms } from './launch.ts'
import { onlineFacts, slotsOf } from './online-facts.ts'
import { gcpLaunch, type Place, placeOf, regionOf } from './request.ts'
import type { GcpConfig } from './rules.ts'
import { applicationDefault, endpointsOf, transport } from './transport.ts'

export { check } from './check.ts'
/**
 * Throws PROVIDER_CONFIG when no project or zone is known, and REQUEST_BASE_CONFIG for fields the API does not have.
 * Credentials are looked for at the first call.
 */
export async function create(context: ProviderContext<GcpConfig>): Promise<Provider> {
  const { clock, env } = context
  const metadata: MetadataOptions = { fetch: globalThis.fetch, clock, env }
  const endpoints = endpointsOf(env)
  const { config } = context
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
  context: ProviderContext<GcpConfig>,
  api: GceApi,
  place: Place,
  metadata: MetadataOptions,
): Provider {
  const { config, owner, clock, master } = context
  const { project } = place
  const pool = { api, owner, project, region: regionOf(place.zone) }
  const factsOf = onlineFacts({ api, config, place, clock, metadata })
  const known = whereabouts(clock)
  const slotsOfType = keptSlots((machineType, signal) =>
    slotsOf(api, config, { ...place, machineType }, signal),
  )
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
    slotsOf: (type, signal) =>
      orProblem(gceFailure, `describe ${type}`, () => slotsOfType(type, signal), signal),
    consoleStage: (id, signal) =>
      fewConsoles(() =>
        orProblem(gceFailure, `read the console of ${id}`, () => stageOf(id, signal), signal),
      ),
    async close() {
      api.close()
    },
  }
}

/** So many names keep the URL of a question short. */
const namesAtOnce = 50
/** Deletes in flight; 1,500 in a minute are allowed (https://cloud.google.com/compute/api-quota). */
const deletesAtOnce = 10

export interface TerminateInput {
  api: GceApi
  owner: Ownership
  project: string
  region: string
  ids: string[]
  /** Zone of a VM this provider launched a moment ago: ours, although a listing may not show it yet. */
  zoneOfNew: (id: string) => string | undefined
  signal?: AbortSignal | undefined
}

export async function terminatePool(input: TerminateInput): Promise<TerminateResult> {
  const { ids, owner, zoneOfNew, signal } = input
  const few = limit(deletesAtOnce)
  const rules = {
    owner,
    look: () => look(input),
    isOurs,
    targetOf(id: string, instance?: GceInstance) {
      const zone = lastPart(instance?.zone) || zoneOfNew(id)
      return zone ? { id, zone } : undefined
    },
    async end(targets: { id: string; zone: string }[], result: TerminateResult) {
      await Promise.all(targets.map(({ id, zone }) => few(() => end(input, id, zone, result))))
      signal?.throwIfAborted()
    },
    failureOf: gceFailure,
  }
  return terminateOwn(ids, rules, signal)
}

async function look({
  api,
  project,
  region,
  ids,
  signal,
}: TerminateInput): Promise<Map<string, GceInstance>> {
  const names = ids.filter(isName)
  const known = new Map<string, GceInstance>()
  for (let from = 0; from < names.length; from += namesAtOnce) {
    const filter = namesFilter(names.slice(from, from + namesAtOnce))
    for (const instance of await allInstances(api, { project, region, filter }, signal))
      known.set(instance.name ?? '', instance)
  }
  return known
}

/** The request id is that of this order: one that failed inside its operation may be given again. */
async function end(input: TerminateInput, id: string, zone: string, result: TerminateResult): Promise<void> {
  const { api, project, signal } = input
  if (signal?.aborted) return
  try {
    await api.deleteInstance({ project, zone, instance: id, requestId: randomUUID() }, signal)
    result.terminated.push(id)
  } catch (error) {
    if (signal?.aborted) return
    if (isNotFound(error)) result.terminated.push(id)
    else result.failures.push({ id, ...gceFailure(error, `end VM ${id}`) })
  }
}

/** Negative: so many of the newest bytes; the last stage is among them. */
const start = '-65536'

/** The last stage the VM's script wrote to its serial console. */
async function consoleStage(
  api: GceApi,
  place: { project: string; zone: string; instance: string },
  signal?: AbortSignal,
): Promise<Stage | undefined> {
  try {
    const { contents = '' } = await api.getSerialPortOutput({ ...place, port: 1, start }, signal)
    return lastStage(contents)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
