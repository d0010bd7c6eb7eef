// From `demand.type` to the source of demand, with everything that is opened for it and closed with it.

import { randomUUID } from 'node:crypto'
import type { ProvidedPool } from '../agent-setup/index.ts'
import { clusterIdPattern, type DemandConfig, type MasterConfig } from '../config/index.ts'
import {
  builtInDemand,
  type DemandSource,
  type DeterminedDemand,
  determinedDemand,
  endpointOf,
  wantsPlaceholders,
  warningsFor,
} from '../demand/index.ts'
import { openPushEndpoint } from '../http/index.ts'
import { pathFacts, type TlsCredentials } from '../pki/index.ts'
import { type Clock, type Handler, type Logger, tellProblems, wallTime } from '../platform/index.ts'
import { isError, type Problem, type ProblemCode, ProvisionError } from '../problems/index.ts'
import { type AnyProvider, definitionOf } from '../providers/index.ts'
import {
  type Agent,
  createMaster,
  holdPlaceholders,
  type JobAdvice,
  openJobStore,
  openStoredLogs,
} from '../standalone/index.ts'
import type { StateStore } from '../state/index.ts'
import type { MasterCertificate } from './certificate.ts'
import type { JoinedAgent } from './fleet-rows.ts'
import { type Identity, knownClusterId } from './identity.ts'
import type { Joins } from './joins.ts'
import type { MasterListener } from './master-listener.ts'
import type { RunningPools } from './pools.ts'
import { isProvided } from './prepare.ts'
import type { Term } from './term.ts'

export interface DemandContext {
  config: MasterConfig
  /** Every kind of provider there is. */
  providers: readonly AnyProvider[]
  version: string
  env: Readonly<Record<string, string | undefined>>
  identity: Identity
  /** Stores the jobs of our own master. */
  store: StateStore
  /** The right to run it. */
  term: Term
  /** The built-in master serves it. */
  certificate: MasterCertificate
  /** For our own master: whether an agent of a pool with a provider is one of its instances. */
  mayJoin: RunningPools['mayJoin']
  /** Whether it belongs to an orphan: it may reconnect, but gets no jobs. */
  mayReturn: RunningPools['mayJoin']
  /** Whether instances of a pool run that is not in the configuration. */
  hasOrphans: (pool: string) => boolean
  /** What the pools know about jobs of our own master. */
  advice: JobAdvice
  /** The control API, for the listener of our own master. */
  control: Handler
  /** Of our own master. */
  listener: () => Promise<MasterListener>
  /** Where a pool requires join proofs. */
  joins?: Joins | undefined
  clock: Clock
  logger: Logger
}

/** A source and, if there is one, our own master behind it. */
export interface OpenedDemand {
  source: DemandSource
  /** The master's own data about agents; without it the data of demand is used. */
  agents?: () => JoinedAgent[]
  onAgent?: (listener: () => void) => () => void
  /** The instances of the pool have been listed: agents are admitted by that listing. */
  judge?: (pool: string) => void
  /** These VMs are gone: do not wait for their agents. */
  forget?: (ids: string[], reason: string) => void
  /** Request handlers of the source, for our own listener. */
  handlers?: Handler[]
  /** Further ones for the control socket: the jobs of our own master. */
  local?: Handler[]
  close(): Promise<void>
}

type Opener = (context: DemandContext) => Promise<OpenedDemand>

/** One line for each way to get demand. */
const openers: Record<DemandConfig['type'], Opener> = {
  'built-in': openBuiltInDemand,
  determined: openDeterminedDemand,
  push: openPushDemand,
}

/** A `demand` that replaces the configured one is not closed at the end. Throws a ProvisionError. */
export async function openDemand(context: DemandContext & { demand?: DemandSource }): Promise<OpenedDemand> {
  if (context.demand) return { source: context.demand, close: async () => {} }
  return openers[context.config.demand.type](context)
}

// Demand of the built-in master, which this process runs and serves.

/** Throws a ProvisionError when its journal cannot be opened. */
async function openBuiltInDemand(context: DemandContext): Promise<OpenedDemand> {
  const { certificate, clock, logger } = context
  const { clusterId, provisionerId: writer } = context.identity
  const jobStore = await openJobStore({
    store: context.store,
    lease: context.term,
    owner: { cluster: clusterId, writer },
    clusterId,
    clock,
    logger,
  })
  tellProblems(logger, jobStore.problems)
  const storedLogs = await openStoredLogs({
    output: context.store.openOutput({ lease: context.term }),
    allocations: jobStore.found.allocations,
    stateLost: jobStore.stateLost,
    clock,
    logger,
  }).catch(async (error: unknown) => {
    await jobStore.close()
    throw error
  })
  const master = createMaster({
    ...context,
    masterId: randomUUID(),
    clusterId: context.identity.clusterId,
    jobStore,
    storedLogs,
    joinProof: context.joins?.rules,
    taskCertificate: () => pemOf(certificate.current()),
  })
  const listener = await context.listener().catch(async (error: unknown) => {
    await master.close()
    throw error
  })
  const leavePort = listener.serve(master)
  const source = builtInDemand(master)
  return {
    source,
    agents: () => master.agents().flatMap(viewOf),
    onAgent: master.onAgent,
    judge: master.judge,
    forget(ids, reason) {
      for (const id of ids) master.forget(id, reason)
    },
    local: [master.rest],
    async close() {
      await source.close()
      leavePort()
      await master.close()
    },
  }
}

function pemOf(certificate: TlsCredentials | undefined): string | undefined {
  return (
    certificate &&
    pathFacts(certificate.path)
      .map(({ pem }) => pem)
      .join('')
  )
}

function viewOf({ id, phase, devices, unknownContainers, link: { tls } }: Agent): JoinedAgent[] {
  if (phase === 'connecting') return []
  const state = phase === 'away' ? 'lost' : 'joined'
  return [
    {
      id,
      state,
      slots: devices.length,
      unknownContainers: unknownContainers?.length,
      tls: tls && { version: tls.version, name: tls.serverName },
    },
  ]
}

// Demand of a Determined master: checked before the pools run, so that what can never work is reported at once.

/** Problems that pass by themselves: the pools wait until they have. */
const passing: readonly ProblemCode[] = [
  'DETERMINED_UNREACHABLE',
  'DETERMINED_LOGIN_SLOW',
  'DETERMINED_FAULT',
]

/** Throws a ProvisionError when no pool could ever be run for this master. */
async function openDeterminedDemand(context: DemandContext): Promise<OpenedDemand> {
  const provided = context.config.resource_pools.filter(isProvided)
  const source = sourceOf(context)
  const pools = provided.map((pool) => pool.pool_name)
  const { demand } = context.config
  const problems = [...provided.flatMap((pool) => warningsFor(pool, demand)), ...(await source.check(pools))]
  if (isHopeless(problems, pools)) {
    await source.close()
    throw new ProvisionError(problems)
  }
  tellProblems(context.logger, problems)
  const leave = provided.flatMap((pool) => holdOpen(pool, source, context))
  return {
    source,
    async close() {
      await Promise.all(leave.map((stop) => stop()))
      await source.close()
    },
  }
}

/** Jobs without slots are accepted in any case. */
function holdOpen(
  { pool_name: pool, provider }: ProvidedPool,
  source: DeterminedDemand,
  { config, providers, env, version, clock, logger }: DemandContext,
): (() => Promise<void>)[] {
  const offerings = definitionOf(providers, provider).offerings(provider)
  const slots = Math.max(...offerings.map((offering) => offering.slots))
  const count = provider.max_instances
  if (!wantsPlaceholders(provider, config.demand) || slots === 0) return []
  const endpoint = () => endpointOf(config, wallTime(clock), env)
  const always = async () => true
  const needsAll = config.demand.placeholder_agent === true ? always : source.launchError
  return [holdPlaceholders({ pool, slots, count, needsAll, endpoint, source, version, clock, logger })]
}

/** Something is wrong with the master or the login, or with each of the pools. */
function isHopeless(problems: Problem[], pools: string[]): boolean {
  const lasting = problems.filter((problem) => isError(problem) && !passing.includes(problem.code))
  const refused = new Set(lasting.flatMap(({ details }) => (details?.['pool'] ? [details['pool']] : [])))
  return (
    lasting.some(({ details }) => !details?.['pool']) || (refused.size > 0 && refused.size === pools.length)
  )
}

/** The same checks without running anything, and the master that answered. */
export async function checkDeterminedDemand(
  context: SourceContext,
): Promise<{ note?: string; problems: Problem[] }> {
  const { config } = context
  const provided = config.resource_pools.filter(isProvided)
  const source = sourceOf(context)
  try {
    const problems = await source.check(provided.map((pool) => pool.pool_name))
    problems.push(...provided.flatMap((pool) => warningsFor(pool, config.demand)))
    if (problems.some(isError)) return { problems }
    const { version, clusterName, clusterId } = await source.facts()
    return { note: `Determined ${version}, cluster ${clusterName || clusterId}`, problems }
  } catch (error) {
    if (error instanceof ProvisionError) return { problems: error.problems }
    throw error
  } finally {
    await source.close()
  }
}

interface SourceContext {
  config: MasterConfig
  env: Readonly<Record<string, string | undefined>>
  version?: string
  clock: Clock
  logger: Logger
}

function sourceOf({ config, env, version, clock, logger }: SourceContext): DeterminedDemand {
  return determinedDemand({ config, env, version, clock, random: Math.random, logger })
}

/**
 * The master's own cluster id, so that every provisioner of that master knows the VMs of the others. Read once, before the
 * first start; undefined if an id is already known. Throws why the master does not answer.
 */
export async function learnClusterId(
  context: SourceContext & { store: StateStore },
): Promise<string | undefined> {
  const { config, store } = context
  if (config.demand.type !== 'determined' || (await knownClusterId(config, store.identity))) return undefined
  const source = sourceOf(context)
  try {
    const { clusterId } = await source.facts()
    return clusterIdPattern.test(clusterId) ? clusterId : undefined
  } catch (error) {
    const [found] = error instanceof ProvisionError ? error.problems : []
    if (!found || !passing.includes(found.code)) throw error
    const remedy =
      'The first start needs the master, for its cluster id. Start the master, or set cluster_id.'
    throw new ProvisionError({ ...found, remedy })
  } finally {
    await source.close()
  }
}

// Demand that a master pushes over HTTP to our own listener.

async function openPushDemand({ config, hasOrphans, clock, logger }: DemandContext): Promise<OpenedDemand> {
  const pools = config.resource_pools.filter(isProvided).map((pool) => pool.pool_name)
  const { source, handler } = openPushEndpoint({
    pools,
    hasOrphans,
    life: randomUUID().slice(0, 8),
    clock,
    logger,
  })
  return { source, handlers: [handler], close: source.close }
}
