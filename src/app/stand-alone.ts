// The whole of it on one machine: the built-in master, its listener, and a loop for each pool with a provider.
import { randomUUID } from 'node:crypto'
import { createMaster, type Master } from '../master/master.ts'
import type { FleetRow } from '../model/fleet-row.ts'
import type { MasterConfig } from '../model/master-config.ts'
import type { Clock, Logger } from '../model/ports.ts'
import { isError, ProvisionError, problem } from '../model/problem.ts'
import { contentsFingerprint } from '../platform/watched-file.ts'
import { accessHandler } from '../server/access.ts'
import { healthHandler } from '../server/health.ts'
import { type Listener, listen } from '../server/listen.ts'
import { servedPair, type TlsMaterial } from '../tls/material.ts'
import { fleetRows } from './fleet-rows.ts'
import { ensureIdentity } from './identity.ts'
import { loadMasterMaterial } from './material.ts'
import { type PoolLoop, startPool } from './pool-loop.ts'
import { type PreparedPools, preparePools } from './prepared-pools.ts'
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
  const prepared = await preparePools({ ...options, identity, material, now: clock.now })
  if (!prepared.pools) throw new ProvisionError([...loaded.problems, ...prepared.problems])
  tellProblems(logger, [...loaded.problems, ...prepared.problems])

  const loops = new Map<string, PoolLoop>()
  const master = createMaster({
    config,
    version: options.version,
    masterId: randomUUID(),
    clusterId: identity.clusterId,
    clock,
    logger,
    mayJoin: (pool, id) => mayJoin(loops.get(pool), id),
  })
  const listener = await serve(options, master, material)
  const stopWatching = watchCertificate({ config, listener, pools: prepared.pools, clock, logger, since })
  try {
    for (const name of prepared.pools.names)
      loops.set(name, await startLoop(name, prepared.pools, master, options))
  } catch (error) {
    await stop()
    throw error
  }
  master.onAgent(options.onChange)

  async function stop(): Promise<void> {
    stopWatching()
    await Promise.all([...loops.values()].map((loop) => loop.stop()))
    await master.close()
    await listener.close()
  }
  const { pools } = prepared
  return {
    address: listener.address,
    port: listener.port,
    rows: () =>
      [...loops].flatMap(([name, loop]) => fleetRows(loop.instances(), master.agents(), pools.get(name))),
    stop,
  }
}

/** An agent that outlived a restart of ours may knock before the first listing; then nobody can call it foreign. */
function mayJoin(loop: PoolLoop | undefined, id: string): boolean {
  if (!loop?.hasListed()) return true
  return loop.instances().some((instance) => instance.id === id)
}

function startLoop(
  name: string,
  pools: PreparedPools,
  master: Master,
  { config, env, clock, logger, onChange }: StandAloneOptions,
): Promise<PoolLoop> {
  return startPool({
    prepared: () => pools.get(name),
    owner: pools.ownerOf(name),
    stateDir: config.state_dir,
    env,
    hasJoined: (id) => master.agents().some((agent) => agent.id === id && agent.joinedAt !== undefined),
    onChange,
    clock,
    logger,
  })
}

async function serve(
  { config, logger }: StandAloneOptions,
  master: Master,
  material?: TlsMaterial,
): Promise<Listener> {
  const listener = await listen({
    address: listenAddress(config),
    port: config.port,
    tls: material && servedPair(material),
    handlers: [accessHandler({}), healthHandler(() => []), ...master.handlers],
    upgrades: master.upgrades,
    logger,
    onHandshakeFailure: (failure) =>
      logger.warn('a client did not get through the TLS handshake', { ...failure }),
  })
  logger.info('the master listens', { address: listener.address, port: listener.port, tls: listener.secure })
  return listener
}

/** Where every agent is a process of this machine, nobody else has to reach the master. */
function listenAddress({ resource_pools }: MasterConfig): string {
  return resource_pools.every((pool) => pool.provider?.type === 'local') ? '127.0.0.1' : ''
}
