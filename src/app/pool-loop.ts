// One pool at work: its provider, its preflight, its loop. Nothing here reaches another pool.
import { join } from 'node:path'
import type { Instance } from '../model/instance.ts'
import type { Ownership } from '../model/ownership.ts'
import type { Clock, Logger } from '../model/ports.ts'
import { loadProvider } from '../providers/registry.ts'
import { applyPreflight } from '../tls/preflight/policy.ts'
import { preflight } from '../tls/preflight/preflight.ts'
import { keepMinimum, type Permission } from './keep-minimum.ts'
import type { PreparedPool } from './prepare-pool.ts'

export interface PoolLoopOptions {
  prepared: () => PreparedPool
  owner: Ownership
  stateDir: string
  env: Readonly<Record<string, string | undefined>>
  hasJoined: (instanceId: string) => boolean
  /** A VM that was there is not in a complete listing any more. */
  onGone: (instanceId: string) => void
  onChange: () => void
  clock: Clock
  logger: Logger
}

export interface PoolLoop {
  instances(): Instance[]
  /** False until the first listing: until then nobody can say that an instance is not ours. */
  hasListed(): boolean
  /** Ends the loop, then what only this machine keeps running. */
  stop(): Promise<void>
}

const preflightMs = 5000

/** Throws PROVIDER_UNAVAILABLE when this version launches no VMs of the pool's kind. */
export async function startPool(options: PoolLoopOptions): Promise<PoolLoop> {
  const { prepared, owner, stateDir, env, clock, logger, onChange } = options
  const { pool, setup } = prepared()
  const provider = await (await loadProvider(pool.provider.type)).create({
    config: pool.provider,
    owner,
    master: setup.master,
    stateDir: join(stateDir, pool.provider.type, encodeURIComponent(pool.pool_name)),
    env,
    clock,
    logger,
  })
  let known: Instance[] | undefined
  const stopping = new AbortController()
  const { signal } = stopping
  const done = keepMinimum(
    {
      ...options,
      provider,
      permission: (signal) => permissionFor(prepared(), clock, signal),
      onListing(instances, complete) {
        if (complete) for (const gone of missingFrom(instances, known)) options.onGone(gone)
        known = instances
        onChange()
      },
    },
    signal,
  ).catch((error: unknown) => {
    if (!signal.aborted) logger.error('the loop of a pool ended', { pool: pool.pool_name, error })
  })
  return {
    instances: () => known ?? [],
    hasListed: () => known !== undefined,
    async stop() {
      stopping.abort()
      await done
      await provider.close()
    },
  }
}

function missingFrom(instances: Instance[], before: Instance[] = []): string[] {
  const there = new Set(instances.map(({ id }) => id))
  return before.map(({ id }) => id).filter((id) => !there.has(id))
}

/** Dials the master as an agent of the pool would, unless the pool wants no preflight. */
async function permissionFor(
  { pool, setup, hasClientCertificate }: PreparedPool,
  clock: Clock,
  signal: AbortSignal,
): Promise<Permission> {
  const { preflight: mode, preflight_address } = pool.provider
  if (mode === 'off') return { launch: 'yes', problems: [] }
  const result = await preflight({
    address: setup.master,
    dialAddress: preflight_address === undefined ? undefined : hostAndPort(preflight_address),
    plan: setup.trust,
    timeoutMs: preflightMs,
    clock,
    signal,
    agentsHaveClientCertificate: hasClientCertificate,
  })
  const { launch, problem } = applyPreflight(mode, result)
  return { launch, problems: [...result.warnings, ...(problem ? [problem] : [])] }
}

/** `host:port`, IPv6 in brackets, as the configuration has checked it. */
function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) }
}
