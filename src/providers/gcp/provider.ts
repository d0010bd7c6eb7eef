// Agents on Google Compute Engine.
import { lastStage, type Stage } from '../../agent-setup/index.ts'
import { type Clock, limit, type MetadataOptions, outgoingFetch } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import type {
  ClusterContext,
  ClusterProvider,
  LaunchOrder,
  LaunchResult,
  Listing,
  Location,
  Provider,
  ProviderContext,
} from '../contract.ts'
import { orProblem } from '../failure.ts'
import { cachedAnswer, cachedSlots, ownIdentity } from '../online-facts.ts'
import { baseProblems } from './base-config.ts'
import { type GceApi, type GceInstance, gceClient } from './client.ts'
import { googleAuth } from './compute-package.ts'
import { codeOf, gceFailure, isNotFound } from './errors.ts'
import { hasNewestImage, namesNewest, newestOf } from './image.ts'
import { clusterFilter, isManaged, isOfCluster, lastPart, ownerFilter, poolOfLabel } from './instances.ts'
import { launchInstances } from './launch.ts'
import { findInstances, hasInstances, listCluster, listPool, partOfCluster, zoneCache } from './listing.ts'
import { gpusOf } from './machine-types.ts'
import { gceMetadata } from './metadata-client.ts'
import type { GcpFacts } from './properties.ts'
import { gcpLaunch, type ProjectAndZone, projectAndZone, regionOf } from './request.ts'
import type { GcpConfig } from './rules.ts'
import { terminateOwned } from './terminate.ts'
import { applicationDefault, endpointsOf, transport } from './transport.ts'

export { check } from './check.ts'

/**
 * Throws PROVIDER_CONFIG when the project or zone is unknown, and REQUEST_BASE_CONFIG for a `base_config` that the API does
 * not accept. Credentials are read at the first call.
 */
export async function create(context: ProviderContext<GcpConfig>): Promise<Provider> {
  const { clock, env } = context
  const metadata: MetadataOptions = { fetch: globalThis.fetch, clock, env }
  const { config } = context
  const scope = await projectAndZone(config, metadata)
  const baseConfigProblems = baseProblems(config.base_config)
  if (baseConfigProblems.length) throw new ProvisionError(baseConfigProblems)
  return gcpProvider(context, apiOf(scope.project, context), scope, metadata)
}

/** Throws PROVIDER_CONFIG for an invalid endpoint. */
function apiOf(
  project: string,
  { env, clock, mayAct }: Pick<ClusterContext, 'env' | 'clock' | 'mayAct'>,
): GceApi {
  const endpoints = endpointsOf(env)
  const credentials = applicationDefault(googleAuth(project, env), env['GOOGLE_APPLICATION_CREDENTIALS'])
  const send = transport({ credentials, fetch: outgoingFetch(env), mayAct })
  return gceClient({ endpoints, send, clock })
}

/** The provider with a given Compute Engine client. */
export function gcpProvider(
  context: ProviderContext<GcpConfig>,
  api: GceApi,
  scope: ProjectAndZone,
  metadata: MetadataOptions,
): Provider {
  const { config, owner, clock, master } = context
  const { project } = scope
  const factsOf = onlineFacts({ api, config, scope, clock, metadata })
  const known = zoneCache(clock)
  const slotsOfType = cachedSlots((machineType, signal) =>
    slotsOf(api, config, { ...scope, machineType }, signal),
  )
  const newestImage = cachedAnswer(clock, imageTtlMs, (signal) =>
    newestOf(api, config.boot_disk_source_image, project, signal),
  )
  // Consoles are read when many VMs have failed at once.
  const fewConsoles = limit(4)

  async function prepare(
    { owner: by, intent, userData }: LaunchOrder,
    image: string | undefined,
    signal?: AbortSignal,
  ) {
    const startupScript = Buffer.from(userData.packed).toString('utf8')
    const facts = { ...(await factsOf(signal)), startupScript, ...(image && { image }) }
    return gcpLaunch({ config, owner: by, setup: { master }, intent }, facts)
  }

  async function list(signal?: AbortSignal): Promise<Listing> {
    const listing = await listPool({ api, owner, project, region: regionOf(scope.zone), signal })
    return { ...listing, instances: known.seen(listing) }
  }

  async function launch(order: LaunchOrder, signal?: AbortSignal): Promise<LaunchResult> {
    let image: string | undefined
    const how = {
      api,
      clock,
      operationTimeoutMs: config.operation_timeout_period,
      async prepare(order: LaunchOrder, signal?: AbortSignal) {
        image = namesNewest(config) ? await newestImage(signal) : undefined
        return prepare(order, image, signal)
      },
    }
    const result = await launchInstances(order, how, signal)
    const instances = known.launched(result.instances)
    // Listings do not show images.
    return { ...result, instances: image ? instances.map((one) => ({ ...one, image: image! })) : instances }
  }

  async function stageOf(instance: string, signal?: AbortSignal) {
    if (known.zoneOf(instance) === undefined) await list(signal)
    const zone = known.zoneOf(instance)
    return zone === undefined ? undefined : consoleStage(api, { project, zone, instance }, signal)
  }

  async function find(ids: string[], signal?: AbortSignal): Promise<Listing> {
    const listing = await findInstances({
      api,
      clusterId: owner.clusterId,
      project,
      ids,
      usual: { filter: ownerFilter(owner), count: known.count() },
      poolOf: (instance) => (isManaged(instance, owner) ? owner.pool : poolOfLabel(instance)),
      zoneOf: known.zoneOf,
      signal,
    })
    // Not a complete listing: it contains only the requested instances.
    return { ...listing, instances: known.seen({ ...listing, complete: false }) }
  }

  return {
    kind: 'gcp',
    location: { project },
    list,
    partOf(cluster) {
      const part = partOfCluster(cluster, owner, regionOf(scope.zone))
      return { ...part, instances: known.seen(part) }
    },
    launch,
    terminate: (ids, signal) =>
      terminateOwned({
        api,
        clock,
        project,
        owner,
        isManaged: (instance) => isManaged(instance, owner),
        ids,
        zoneOf: known.zoneOf,
        zoneOfNew: known.zoneOfNew,
        signal,
      }),
    find,
    hasTraces: (signal) =>
      orProblem(
        gceFailure,
        `find instances of cluster ${owner.clusterId}`,
        () => hasInstances({ api, clusterId: owner.clusterId, project, signal }),
        signal,
      ),
    newestImage: (signal) =>
      orProblem(
        gceFailure,
        'find the newest image',
        async () => (hasNewestImage(config.boot_disk_source_image) ? newestImage(signal) : undefined),
        signal,
      ),
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

/** All instances of a cluster in one project. Throws PROVIDER_CONFIG for a location without a project. */
export async function createCluster(location: Location, context: ClusterContext): Promise<ClusterProvider> {
  const { clusterId, clock } = context
  const { project } = location
  if (!project)
    throw new ProvisionError(problem('PROVIDER_CONFIG', 'the location contains no Google Cloud project'))
  const api = apiOf(project, context)
  const known = zoneCache(clock)
  const cluster = { api, clusterId, project }
  const isManaged = (instance: GceInstance) => isOfCluster(instance, clusterId)
  const usual = () => ({ filter: clusterFilter(clusterId), count: known.count() })
  return {
    async list(signal) {
      const listing = await listCluster({ ...cluster, signal })
      return { ...listing, instances: known.seen(listing) }
    },
    async find(ids, signal) {
      const listing = await findInstances({ ...cluster, ids, usual: usual(), zoneOf: known.zoneOf, signal })
      return { ...listing, instances: known.seen({ ...listing, complete: false }) }
    },
    terminate: (ids, signal) =>
      terminateOwned({
        api,
        clock,
        project,
        owner: { clusterId },
        isManaged,
        ids,
        zoneOf: known.zoneOf,
        zoneOfNew: () => undefined,
        signal,
      }),
    async close() {
      api.close()
    },
  }
}

// Facts that a launch needs and the file does not contain, and the slots of machine types: queried, and cached for a
// while.

/** Milliseconds, as on AWS. */
const imageTtlMs = 600_000
/** Milliseconds; a region gets a new zone once in years. */
const zonesTtlMs = 3_600_000

interface OnlineInput {
  api: GceApi
  config: GcpConfig
  scope: ProjectAndZone
  clock: Clock
  metadata: MetadataOptions
}

type OnlineFacts = (signal?: AbortSignal) => Promise<GcpFacts>

function onlineFacts({ api, config, scope, clock, metadata }: OnlineInput): OnlineFacts {
  const zonesOfRegion = cachedAnswer(clock, zonesTtlMs, async (signal) => {
    const region = regionOf(scope.zone)
    const { zones = [] } = await api.getRegion({ project: scope.project, region }, signal)
    return zones.map(lastPart)
  })
  // As in Determined's provisioner: 30 characters, without a hyphen at the end.
  const ownName = ownIdentity(async () =>
    (await gceMetadata(metadata).get('name'))?.slice(0, 30).replace(/-$/, ''),
  )
  return async (signal) => {
    const needsIdentity = config.label_value === undefined || config.name_prefix === undefined
    return {
      ...scope,
      ...(needsIdentity ? { identity: await ownName() } : {}),
      // Only a launch in several zones has to list the zones it must not use.
      ...(config.zones.length > 1 ? { zones: await zonesOfRegion(signal) } : {}),
    }
  }
}

/** GPUs, else one CPU slot if `cpu_slots_allowed`; undefined for a type that the zone does not have. */
async function slotsOf(
  api: GceApi,
  config: GcpConfig,
  scope: { project: string; zone: string; machineType: string },
  signal?: AbortSignal,
): Promise<number | undefined> {
  try {
    const type = await api.getMachineType(scope, signal)
    return gpusOf(config, scope.machineType, type) || (config.cpu_slots_allowed ? 1 : 0)
  } catch (error) {
    // `invalid`: the string cannot be a name.
    if (['notFound', 'invalid'].includes(codeOf(error))) return undefined
    throw error
  }
}

/** A negative start means that many of the newest bytes; the last stage is among them. */
const start = '-65536'

/** The last stage the VM's script wrote to its serial console. */
async function consoleStage(
  api: GceApi,
  scope: { project: string; zone: string; instance: string },
  signal?: AbortSignal,
): Promise<Stage | undefined> {
  try {
    const { contents = '' } = await api.getSerialPortOutput({ ...scope, port: 1, start }, signal)
    return lastStage(contents)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
