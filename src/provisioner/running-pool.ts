// One running pool: its provider, its preflight, its fleet loop and its journal. Nothing here affects another pool.

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { ProvidedPool } from '../agent-setup/index.ts'
import type { DemandSource } from '../demand/index.ts'
import {
  type ClusterLocation,
  createPoolFleet,
  type FleetEvent,
  keyOf,
  type OwnWriters,
  type PoolFleet,
  type PoolSettings,
} from '../fleet/index.ts'
import { fixedPeriods, type Instance, type InstanceShare, type RolloutRules } from '../planner/index.ts'
import {
  bootMark,
  type Clock,
  createSchedule,
  fileNameOf,
  type Logger,
  type Metrics,
  tellProblems,
} from '../platform/index.ts'
import { type AnyProvider, definitionOf, type Ownership, type Provider } from '../providers/index.ts'
import { watchNewestImage } from '../rollout/index.ts'
import type { JournalOptions, OpenedJournal, StateStore } from '../state/index.ts'
import { meteredDemand, meteredProvider } from './metered.ts'
import { type JoinProbe, type PreflightGate, preflightGate } from './preflight-gate.ts'
import type { ReadyPlan } from './prepare.ts'
import type { SharedClusters } from './shared-clusters.ts'
import type { Term } from './term.ts'

export interface RunPoolOptions {
  /** The current plan: a renewed certificate and a changed configuration change it. */
  plan: () => ReadyPlan
  owner: Ownership
  provisionerId: string
  /** Read while the journal is opened. */
  ownWriters: () => Promise<OwnWriters>
  stateDir: string
  store: Pick<StateStore, 'openJournal'>
  env: Readonly<Record<string, string | undefined>>
  providers: readonly AnyProvider[]
  /** The right to lead it. */
  term: Term
  /** Where a pool requires join proofs. */
  joins?: JoinProbe | undefined
  /** What this pool shares with the others. */
  clusters: SharedClusters
  demand: DemandSource
  onEvent: (event: FleetEvent) => void
  onLocation: (place: ClusterLocation) => Promise<void>
  isFirstStart: () => Promise<boolean>
  onListed?: (pool: string) => void
  clock: Clock
  logger: Logger
  metrics: Metrics
}

export interface RunningPool {
  readonly fleet: PoolFleet
  readonly location: ClusterLocation
  instances(): Instance[]
  /** Dials the master again before anything more is launched. */
  userDataChanged(): void
  /** Ends the loop, then what runs only on this machine. */
  stop(): Promise<void>
}

const journalKind = 'fleet 1'

/** Throws a ProvisionError when the provider or the journal cannot be opened. */
export async function runPool(options: RunPoolOptions): Promise<RunningPool> {
  const { plan, owner, provisionerId, stateDir, logger } = options
  const { pool } = plan()
  const name = fileNameOf(pool.pool_name)
  const meter = { ...options, pool: pool.pool_name }
  const opening = await openProvider(options, join(stateDir, pool.provider.type, name))
  const provider = meteredProvider(opening, meter)
  const shared = options.clusters.viewOf(provider)
  const location = { provider: provider.kind, location: provider.location ?? {} }
  await options.onLocation(location).catch(async (error: unknown) => {
    await provider.close().catch(() => {})
    throw error
  })
  const [opened, ownWriters] = await bothOrClosed(
    provider,
    openedJournal(options, {
      name: { pool: pool.pool_name },
      kind: journalKind,
      lease: options.term,
      owner: { cluster: owner.clusterId, pool: owner.pool, writer: provisionerId },
    }),
    options.ownWriters(),
  )
  tellProblems(logger, opened.problems)
  const gate = preflightGate(options)
  const images = watchNewestImage({
    ...meter,
    provider,
    isWanted: () => plan().pool.provider.rollout.images === 'latest',
  })
  const fleet = createPoolFleet(
    {
      ...options,
      ownWriters,
      pool: pool.pool_name,
      owner,
      provider,
      ...(shared ? { shared } : {}),
      demand: meteredDemand(options.demand, meter),
      journal: opened.journal,
      recorded: opened.records,
      journalDamaged: opened.problems.length > 0,
      isFirstStart: opened.isFirstStart,
      locationKey: keyOf(location),
      bootMark,
      random: Math.random,
      newId: randomUUID,
      launchInputs: gate.launchInputs,
      launchedNow: () => ({ ...plan().launchedNow, newestImage: images.current() }),
      onListed: () => options.onListed?.(pool.pool_name),
      isLed: options.term.isCurrent,
    },
    poolSettings(pool, options.providers),
  )
  const running: RunningPool = {
    fleet,
    location,
    instances: () => fleet.status().instances,
    userDataChanged: () => void gate.ask().catch(() => {}),
    async stop() {
      gate.stop()
      images.stop()
      await fleet.stop()
      await provider.close()
      await opened.journal.close()
    },
  }
  try {
    await begin(gate, fleet)
  } catch (error) {
    await running.stop().catch(() => {})
    throw error
  }
  return running
}

type StartingJournal = OpenedJournal & { isFirstStart: boolean }

async function openedJournal(
  { store, isFirstStart }: Pick<RunPoolOptions, 'store' | 'isFirstStart'>,
  options: JournalOptions,
): Promise<StartingJournal> {
  const opened = await store.openJournal(options)
  try {
    return { ...opened, isFirstStart: hasNotBegun(opened) && (await isFirstStart()) }
  } catch (error) {
    await opened.journal.close().catch(() => {})
    throw error
  }
}

/** What a pool starts with; if a part of it cannot be had, all that was opened is closed. */
async function bothOrClosed(
  provider: Provider,
  opening: Promise<StartingJournal>,
  reading: Promise<OwnWriters>,
): Promise<[StartingJournal, OwnWriters]> {
  try {
    return await Promise.all([opening, reading])
  } catch (error) {
    await provider.close().catch(() => {})
    void opening.then(({ journal }) => journal.close()).catch(() => {})
    throw error
  }
}

/** Nothing was ever launched by it, whoever led the pool: before its first checkpoint there are no launches. */
function hasNotBegun({ records, problems }: OpenedJournal): boolean {
  return problems.length === 0 && !records.some(({ kind }) => kind === 'begun')
}

/** The preflight should be answered before the first turn of the loop; otherwise the loop waits for its next turn. */
async function begin(gate: PreflightGate, fleet: PoolFleet): Promise<void> {
  await gate.ask()
  await fleet.start()
}

async function openProvider(options: RunPoolOptions, folder: string): Promise<Provider> {
  const { pool, setup } = options.plan()
  const { open } = definitionOf(options.providers, pool.provider)
  return open({
    ...options,
    mayAct: options.term.isCurrent,
    config: pool.provider,
    master: setup.master,
    stateDir: folder,
  })
}

// The settings of a pool: the configuration in the form of the planner.

export function poolSettings(pool: ProvidedPool, providers: readonly AnyProvider[]): PoolSettings {
  const { provider } = pool
  const definition = definitionOf(providers, provider)
  return {
    policy: {
      ...fixedPeriods,
      minInstances: provider.min_instances,
      maxInstances: provider.max_instances,
      maxIdle: provider.max_idle_agent_period,
      bootTimeout: provider.boot_timeout,
      reconnectWait: pool.agent_reconnect_wait,
      placementGrace: provider.placement_grace,
      maxAuxPerAgent: pool.max_aux_containers_per_agent,
      separateGangs: definition.separatesGangs?.(provider) === true ? true : undefined,
      launchRate: definition.onThisMachine ? undefined : provider.launch_rate,
      rollout: rolloutRules(provider),
    },
    ...scheduleOf(provider),
    // In the order they are tried: this keeps an on-demand fallback behind spot.
    offerings: definition.offerings(provider).map((offering, preference) => ({ ...offering, preference })),
    launchError: { timeout: provider.launch_error_timeout, retries: provider.launch_error_retries },
    visibility: definition.visibilityMs,
    ...(definition.largestLaunch === undefined ? {} : { largestLaunch: definition.largestLaunch }),
  }
}

function rolloutRules({ rollout, max_lifetime }: ProvidedPool['provider']): RolloutRules {
  return {
    when: rollout.when,
    maxUnavailable: shareOf(rollout.max_unavailable),
    surge: shareOf(rollout.surge),
    maxLifetime: max_lifetime,
    drainTimeout: rollout.drain_timeout,
  }
}

function shareOf(value: number | string): InstanceShare {
  return typeof value === 'number' ? { count: value } : { percent: Number.parseInt(value, 10) }
}

function scheduleOf({ rollout: { schedule } }: ProvidedPool['provider']): Pick<PoolSettings, 'schedule'> {
  if (!schedule) return {}
  return {
    schedule: createSchedule(
      schedule.map(({ cron, duration, time_zone: timeZone }) => ({ cron, duration, timeZone })),
    ),
  }
}
