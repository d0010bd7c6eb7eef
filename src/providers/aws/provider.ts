// Agents on Amazon EC2.
import { lastStage, type Stage } from '../../agent-setup/index.ts'
import { limit, type MetadataOptions } from '../../platform/index.ts'
import type { LaunchOrder, LaunchResult, Provider, ProviderContext } from '../contract.ts'
import { orProblem } from '../failure.ts'
import { cachedSlots } from '../online-facts.ts'
import { type Ec2Api, ec2Client, regionOfSdk } from './client.ts'
import { codeOf, ec2Failure } from './errors.ts'
import { onlineFacts, typeFacts } from './image.ts'
import { findOwned, hasInstances, listOwned, terminateOwned } from './instances.ts'
import { hasTemplates, launchInstances, launchTemplates } from './launch.ts'
import { hasNewestImage } from './made-from.ts'
import { regionOf } from './metadata.ts'
import { groupsGangs } from './placement.ts'
import { groupsOf } from './placement-groups.ts'
import { regionShare } from './region.ts'
import { awsLaunch, callsOf } from './request.ts'
import { blockRefusal, fullRemedy } from './reservations.ts'
import type { AwsConfig } from './rules.ts'

/** EC2 shows new VMs within seconds, at worst within a minute. */
const newMs = 300_000

/** Throws PROVIDER_CONFIG when no region is known. Credentials are read at the first call. */
export async function create(context: ProviderContext<AwsConfig>): Promise<Provider> {
  const { config } = context
  const metadata: MetadataOptions = { fetch: globalThis.fetch, clock: context.clock, env: context.env }
  const region = await regionOf(config.region, regionOfSdk, metadata)
  const api = ec2Client(region, context.env, { mayAct: context.mayAct })
  return awsProvider(context, api, region, metadata)
}

/** The provider with a given EC2 client. */
export function awsProvider(
  context: ProviderContext<AwsConfig>,
  api: Ec2Api,
  region: string,
  metadata: MetadataOptions,
): Provider {
  const { config, owner, clock, logger, master } = context
  const { images, launchTurn } = regionShare(region, context.env['AWS_PROFILE'], clock)
  const factsOf = onlineFacts({ api, config, owner, metadata, images })
  const templates = launchTemplates({ api, owner, clock, logger })
  const launchedAt = new Map<string, number>()
  const slotsOfType = cachedSlots(
    async (type, signal) => (await typeFacts(api, type, config.cpu_slots_allowed, signal))?.slots,
  )
  // Consoles are read when many VMs have failed at once, and EC2's rate limit for that is low.
  const fewConsoles = limit(2)

  async function prepare({ owner: by, intent, userData }: LaunchOrder, signal?: AbortSignal) {
    const base64 = Buffer.from(userData.packed).toString('base64')
    const facts = { ...(await factsOf(signal)), region, userData: base64 }
    return awsLaunch({ config, owner: by, setup: { master }, intent }, facts)
  }

  async function launch(order: LaunchOrder, signal?: AbortSignal): Promise<LaunchResult> {
    const reservedRefusal = (doing: string, abort?: AbortSignal) =>
      blockRefusal({ api, config, now: clock.now() }, doing, abort)
    const how = {
      api,
      clock,
      templates,
      prepare,
      launchTurn,
      reservedRefusal,
      reservedRemedy: fullRemedy(config),
    }
    const result = await launchInstances(order, how, signal)
    for (const [id, at] of launchedAt) if (clock.now() - at > newMs) launchedAt.delete(id)
    for (const { id } of result.instances) launchedAt.set(id, clock.now())
    return result
  }

  /** Listing launch templates and placement groups is permitted only for configurations that create them. */
  async function hasTraces(signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted()
    if (await hasInstances(api, owner.clusterId, signal)) return true
    if (callsOf(config).templates && (await hasTemplates(api, owner.clusterId, signal))) return true
    return groupsGangs(config) && (await groupsOf(api, owner.clusterId, signal)).length > 0
  }

  async function newestImage(signal?: AbortSignal): Promise<string | undefined> {
    return hasNewestImage(config) ? (await factsOf(signal)).imageId : undefined
  }

  return {
    kind: 'aws',
    location: { region },
    list: (signal) => listOwned(api, owner, signal),
    partOf: (cluster) => ({
      ...cluster,
      instances: cluster.instances.filter(({ pool }) => pool === owner.pool),
    }),
    find: (ids, signal) => findOwned(api, owner.clusterId, ids, signal),
    hasTraces: (signal) =>
      orProblem(ec2Failure, `look for traces of cluster ${owner.clusterId}`, () => hasTraces(signal), signal),
    launch,
    terminate: (ids, signal) =>
      terminateOwned({ api, owner, ids, isNew: (id) => launchedAt.has(id), signal }),
    newestImage: (signal) =>
      orProblem(ec2Failure, 'find the newest image', () => newestImage(signal), signal),
    slotsOf: (type, signal) =>
      orProblem(ec2Failure, `describe ${type}`, () => slotsOfType(type, signal), signal),
    consoleStage: (id, signal) =>
      fewConsoles(() =>
        orProblem(ec2Failure, `read the console of ${id}`, () => consoleStage(api, id, signal), signal),
      ),
    async close() {
      api.close()
    },
  }
}

/**
 * The last stage the VM's script wrote to its serial console. With `Latest`, EC2 returns the current console, which only
 * Nitro instances support; others return it some minutes late.
 */
async function consoleStage(api: Ec2Api, id: string, signal?: AbortSignal): Promise<Stage | undefined> {
  try {
    return await read(api, id, true, signal)
  } catch (error) {
    switch (codeOf(error)) {
      case 'UnsupportedOperation':
        return read(api, id, false, signal)
      case 'InvalidInstanceID.NotFound':
      case 'InvalidInstanceID.Malformed':
        return undefined
      default:
        throw error
    }
  }
}

async function read(api: Ec2Api, InstanceId: string, Latest: boolean, signal?: AbortSignal) {
  const { Output = '' } = await api.getConsoleOutput({ InstanceId, Latest }, signal)
  return lastStage(Buffer.from(Output, 'base64').toString('utf8'))
}
