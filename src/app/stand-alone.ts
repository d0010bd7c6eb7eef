// The whole of it on one machine: the built-in master, its listener, and a loop for each pool with a provider.
import { builtInDemand } from '../demand/built-in/source.ts'
import type { FleetRow } from '../model/fleet-row.ts'
import type { MasterConfig } from '../model/master-config.ts'
import type { Clock, Logger } from '../model/ports.ts'
import { isError, ProvisionError, problem } from '../model/problem.ts'
import { contentsFingerprint } from '../platform/watched-file.ts'
import { silentMetrics } from '../telemetry/silent-metrics.ts'
import { type BuiltInMaster, openBuiltInMaster } from './built-in-master.ts'
import { dialledHosts } from './dialled-hosts.ts'
import { fleetRows } from './fleet-rows.ts'
import { ensureIdentity } from './identity.ts'
import { loadMasterMaterial } from './material.ts'
import { type PreparedPools, preparePools } from './prepared-pools.ts'
import { type RunningPool, runPool } from './run-pool.ts'
import { tellEvent } from './tell-event.ts'
import { tellProblems } from './tell-problems.ts'
import { certificateFiles, watchCertificate } from './watch-certificate.ts'

export interface StandAloneOptions {
  config: MasterConfig
  version: string
  env: Readonly<Record<string, string | undefined>>
  localAgent: string[]
  clock: Clock
  logger: Logger
  /** Something that `rows` shows has changed. */
  onChange: () => void
}

export interface StandAlone {
  readonly address: string
  readonly port: number
  rows(): FleetRow[]
  /** Ends local VMs; leaves cloud VMs running. */
  stop(): Promise<void>
}

/** Serves and launches until stopped. Throws a ProvisionError when it cannot start; nothing is left running then. */
export async function startStandAlone(options: StandAloneOptions): Promise<StandAlone> {
  const { config, clock, logger } = options
  if (config.demand.type !== 'built-in')
    throw new ProvisionError(problem('DEMAND_UNAVAILABLE', `demand.type is ${config.demand.type}`))
  const since = contentsFingerprint(certificateFiles(config))
  const loaded = loadMasterMaterial(config, { now: clock.now(), withKey: true })
  if (loaded.problems.some(isError)) throw new ProvisionError(loaded.problems)
  const { material } = loaded
  const identity = ensureIdentity(config)
  const hosts = await dialledHosts(options)
  const prepared = await preparePools({ ...options, identity, material, hosts, now: clock.now })
  if (!prepared.pools) throw new ProvisionError([...loaded.problems, ...prepared.problems])
  tellProblems(logger, [...loaded.problems, ...prepared.problems])

  const { pools } = prepared
  const running = new Map<string, RunningPool>()
  const served = await openBuiltInMaster({
    ...options,
    identity,
    material,
    mayJoin: (pool, id) => mayJoin(running.get(pool), id),
  })
  const stopWatching = watchCertificate({
    config,
    served,
    pools,
    clock,
    logger,
    since,
    onRenewed: () => renewAll(running),
  })
  const rows = () =>
    [...running].flatMap(([name, pool]) =>
      fleetRows(pool.instances(), served.master.agents(), pools.get(name)),
    )
  async function stop(): Promise<void> {
    stopWatching()
    const local = rows().filter((row) => row.local)
    await Promise.all([...running.values()].map((pool) => pool.stop()))
    // Their processes have ended; the next start must not wait for them.
    for (const { instance } of local) served.master.forget(instance, 'the provisioner stopped')
    await served.close()
  }
  const failures = await startAll(pools, running, served, options)
  if (failures.length > 0 && running.size === 0) {
    await stop()
    throw failures[0]
  }
  served.master.onAgent(options.onChange)
  return {
    address: served.address,
    port: served.port,
    rows,
    stop,
  }
}

/** An agent that outlived a restart of ours may knock before the first listing; then nobody can call it foreign. */
function mayJoin(pool: RunningPool | undefined, id: string): boolean {
  return !pool?.hasListed() || pool.fleet.knows(id)
}

/** All at once: a pool whose cloud does not answer, or that has no credentials, is its own affair. Returns what failed. */
async function startAll(
  pools: PreparedPools,
  running: Map<string, RunningPool>,
  served: BuiltInMaster,
  options: StandAloneOptions,
): Promise<unknown[]> {
  const failures: unknown[] = []
  await Promise.all(
    pools.names.map(async (name) => {
      try {
        running.set(name, await startPool(name, pools, served, options))
      } catch (error) {
        failures.push(error)
        options.logger.error('a pool cannot be run', { pool: name, error })
      }
    }),
  )
  return failures
}

function startPool(
  name: string,
  pools: PreparedPools,
  { master }: BuiltInMaster,
  { config, env, clock, logger, onChange }: StandAloneOptions,
): Promise<RunningPool> {
  return runPool({
    prepared: () => pools.get(name),
    owner: pools.ownerOf(name),
    stateDir: config.state_dir,
    env,
    demand: builtInDemand(master),
    onEvent(event) {
      tellEvent(logger, event)
      if (event.kind === 'ended') for (const id of event.ids) master.forget(id, 'its instance is gone')
      onChange()
    },
    clock,
    logger,
    metrics: silentMetrics,
  })
}

function renewAll(running: Map<string, RunningPool>): void {
  for (const pool of running.values()) pool.renewed()
}
