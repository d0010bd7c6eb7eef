// VMs as processes on this machine: each runs the rendered script in its own root directory.

import { closeSync, createReadStream, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { lastStage, type Stage } from '../../agent-setup/index.ts'
import { requiresProof } from '../../config/index.ts'
import type { Offering } from '../../planner/index.ts'
import { checkMayAct, type GatedProcess, limit, notSentIn } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import {
  type ClusterContext,
  type ClusterProvider,
  type LaunchOrder,
  type LaunchResult,
  type Listing,
  ownerTags,
  ownerTagsOf,
  type Provider,
  type ProviderContext,
  type TerminateResult,
} from '../contract.ts'
import { stopped } from '../launch-steps.ts'
import {
  type InstanceRecord,
  instanceOf,
  openPoolFolder,
  type PoolFolder,
  readRecord,
  writeRecord,
} from './instance-record.ts'
import {
  type LocalInstances,
  localFailure,
  openInstances,
  reasonOf,
  scriptRuns,
  startInstance,
} from './instances.ts'
import { makeJoinSecret } from './join-secret.ts'
import { instanceIds, isInstanceId, type LocalConfig } from './request.ts'

/** Bytes of a console kept between two reads: longer than any stage line. */
const overlap = 128

export async function create(context: ProviderContext<LocalConfig>): Promise<Provider> {
  const vms = openPool(context)
  // One launch at a time, so that a second launch of the same intent finds the VMs of the first.
  const serial = limit(1)
  return {
    kind: 'local',
    list: async (signal) => list(vms, signal),
    launch: (order, signal) => serial(() => launch(order, vms, context, signal)),
    terminate: async (ids, signal) => terminate(ids, vms, signal),
    slotsOf: async (type) => (type === 'local' ? context.config.slots : undefined),
    consoleStage: (id) => consoleStage(id, vms),
    close: () => serial(() => vms.terminateAll()),
  }
}

function openPool(context: ProviderContext): LocalInstances {
  try {
    return openInstances(context)
  } catch (error) {
    throw new ProvisionError(
      localFailure(error, `open the folder of local pool ${context.owner.pool}`).problem,
    )
  }
}

function list(vms: LocalInstances, signal?: AbortSignal): Listing {
  signal?.throwIfAborted()
  const { records, problems } = vms.look()
  const instances = records.map(instanceOf).filter((instance) => instance.state !== 'terminated')
  return { instances, complete: problems.length === 0, problems }
}

async function launch(
  order: LaunchOrder,
  vms: LocalInstances,
  context: ProviderContext<LocalConfig>,
  signal?: AbortSignal,
): Promise<LaunchResult> {
  const result: LaunchResult = { instances: [], failures: [] }
  for (const id of instanceIds(order.intent)) {
    signal?.throwIfAborted()
    try {
      const { record, ended } = await launchInstance(id, order, vms.folder, context)
      if (ended) vms.watch(record, ended)
      result.instances.push(instanceOf(record))
    } catch (error) {
      const missing = order.intent.count - result.instances.length
      const failure = localFailure(error, `start local instance ${id}`)
      // What is started was started here: the rest was not.
      result.failures.push({ ...(notSentIn(error) ? stopped(failure, false) : failure), missing })
      break
    }
  }
  return result
}

function terminate(ids: string[], vms: LocalInstances, signal?: AbortSignal): TerminateResult {
  signal?.throwIfAborted()
  const result: TerminateResult = { terminated: [], failures: [] }
  for (const id of ids) {
    try {
      if (isInstanceId(id)) vms.end(id)
      result.terminated.push(id)
    } catch (error) {
      result.failures.push({ id, ...localFailure(error, `terminate local instance ${id}`) })
    }
  }
  return result
}

async function consoleStage(id: string, vms: LocalInstances): Promise<Stage | undefined> {
  if (!isInstanceId(id) || !vms.folder.exists(id)) return undefined
  let stage: Stage | undefined
  let text = ''
  try {
    for await (const chunk of createReadStream(join(vms.folder.root(id), 'console.log'), 'utf8')) {
      text = text.slice(-overlap) + chunk
      stage = lastStage(text) ?? stage
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ProvisionError(localFailure(error, `read the console of local instance ${id}`).problem)
  }
  return stage
}

// Instances of pools that are no longer configured: an earlier provisioner was killed and left them running.

/** Only reads records: the folder of a running pool has one owner, which updates it. */
export async function openCluster({
  clusterId,
  stateDir,
  clock,
  logger,
  mayAct,
}: ClusterContext): Promise<ClusterProvider> {
  const root = join(stateDir, 'local')

  function look(): { listing: Listing; folders: Map<string, { stateDir: string; pool: string }> } {
    const listing: Listing = { instances: [], complete: true, problems: [] }
    const folders = new Map<string, { stateDir: string; pool: string }>()
    for (const folder of poolFolders(root))
      for (const id of folder.ids())
        try {
          const record = folder.exists(id) ? readRecord(folder.root(id)) : undefined
          if (!record || record.ended || !scriptRuns(record)) continue
          const instance = instanceOf(record)
          if (record.tags[ownerTags.cluster] === clusterId) listing.instances.push(instance)
          // terminate() checks again whether it belongs to this cluster.
          folders.set(id, { stateDir: folder.path, pool: instance.pool })
        } catch (error) {
          listing.complete = false
          listing.problems.push(localFailure(error, `read local instance ${id}`).problem)
        }
    return { listing, folders }
  }

  return {
    async list(signal) {
      signal?.throwIfAborted()
      return look().listing
    },
    async find(ids, signal) {
      signal?.throwIfAborted()
      const { listing } = look()
      return { ...listing, instances: listing.instances.filter(({ id }) => ids.includes(id)) }
    },
    async terminate(ids, signal) {
      const { folders } = look()
      const result: TerminateResult = { terminated: [], failures: [] }
      for (const id of ids) {
        const known = folders.get(id)
        if (!known) {
          result.terminated.push(id)
          continue
        }
        const owner = { clusterId, pool: known.pool, writerId: '' }
        const vms = openInstances({ stateDir: known.stateDir, owner, clock, logger, mayAct })
        const one = terminate([id], vms, signal)
        result.terminated.push(...one.terminated)
        result.failures.push(...one.failures)
      }
      return result
    },
    close: async () => {},
  }
}

function poolFolders(root: string): PoolFolder[] {
  if (!existsSync(root)) return []
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => openPoolFolder(join(root, name)))
}

// Starts one local VM: its record is written first, so that a crash before the start leaves nothing running.

export interface Launched {
  record: InstanceRecord
  /** Resolves with the reason when it exits; undefined when it had been started before. */
  ended?: Promise<string>
}

/** The VM with this name and order: a new one, or the one that an earlier call with the same order created. */
export async function launchInstance(
  id: string,
  order: LaunchOrder,
  folder: PoolFolder,
  context: Pick<ProviderContext<LocalConfig>, 'config' | 'env' | 'clock' | 'mayAct'>,
): Promise<Launched> {
  const known = folder.exists(id) ? readRecord(folder.root(id)) : undefined
  if (known) {
    refuseOtherIntent(known, order)
    return { record: known }
  }
  const what = `the start of local instance ${id}`
  checkMayAct(context.mayAct, what)
  const root = folder.create(id, order.userData.script)
  try {
    return await start(newRecord(id, order, context.clock.now()), root, folder, context)
  } catch (error) {
    folder.remove(id)
    throw error
  }
}

async function start(
  record: Omit<InstanceRecord, 'process'>,
  root: string,
  folder: PoolFolder,
  { config, env, mayAct }: Pick<ProviderContext<LocalConfig>, 'config' | 'env' | 'mayAct'>,
): Promise<Launched> {
  const console = folder.openConsole(record.id)
  const secret = requiresProof(config) ? makeJoinSecret() : undefined
  let waiting: GatedProcess | undefined
  try {
    waiting = await startInstance({
      id: record.id,
      root,
      script: join(root, 'script'),
      console,
      env,
      joinSecret: secret?.value,
    })
    const process = { pid: waiting.pid, start: waiting.start }
    const started = { ...record, process, ...(secret && { joinSecretHash: secret.hash }) }
    writeRecord(root, started)
    checkMayAct(mayAct, `the start of local instance ${record.id}`)
    waiting.release()
    return { record: started, ended: waiting.ended.then(reasonOf) }
  } catch (error) {
    waiting?.abandon()
    throw error
  } finally {
    closeSync(console)
  }
}

function newRecord(id: string, { intent, owner }: LaunchOrder, now: number): Omit<InstanceRecord, 'process'> {
  const offering: Omit<Offering, 'slots'> = intent.offerings[0] ?? {
    instanceType: 'local',
    zone: '',
    capacityType: 'on_demand',
  }
  return {
    id,
    tags: ownerTagsOf(owner, intent.id),
    instanceType: offering.instanceType,
    zone: offering.zone,
    capacityType: offering.capacityType,
    launchedAt: now,
  }
}

/** The eight hex digits of two intents may be equal; a new attempt with a new intent gets new names. */
function refuseOtherIntent(record: InstanceRecord, { intent }: LaunchOrder): void {
  const other = record.tags[ownerTags.intent]
  if (other === intent.id) return
  throw new ProvisionError(
    problem(
      'PROVIDER_NOT_OURS',
      `local instance ${record.id} already exists, for intent ${other ?? 'unknown'}`,
    ),
  )
}
