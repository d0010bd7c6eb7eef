// All pools of a running provisioner, prepared again whenever the certificate changes; the last good ones stay.

import { createHash } from 'node:crypto'
import type { ProvidedPool } from '../agent-setup/trust.ts'
import type { MasterConfig } from '../config/master-config.ts'
import type { LaunchMaterial } from '../fleet/run.ts'
import type { TlsMaterial } from '../pki/credentials.ts'
import { applyPreflight, type PreflightResult, preflight } from '../pki/preflight.ts'
import { limit } from '../platform/limit.ts'
import type { Clock, Logger } from '../platform/ports.ts'
import { isError, type Problem, problem } from '../problems/problem.ts'
import type { Ownership } from '../providers/contract.ts'
import type { AnyProvider } from '../providers/definition.ts'
import { type DialablePool, isProvided, type PreparedPool, preparePool } from './prepare.ts'
import type { Identity } from './state.ts'

export interface PreparedPools {
  names: string[]
  get(pool: string): PreparedPool
  ownerOf(pool: string): Ownership
  /** Uses the material for VMs launched from now on. A pool it does not fit keeps what it had; its problems tell why. */
  renew(material: TlsMaterial): Promise<Problem[]>
  /** Makes new VMs by another configuration of the same pools; with an error among the problems all stays as it was. */
  use(config: MasterConfig): Promise<Problem[]>
}

export interface PreparedPoolsInput {
  config: MasterConfig
  providers: readonly AnyProvider[]
  identity: Identity
  material?: TlsMaterial
  now: () => number
  /** What agents dial, by pool. */
  hosts: ReadonlyMap<string, string>
  localAgent: string[]
}

/** undefined when a pool cannot be launched; warnings are in the problems too. */
export async function preparePools(
  input: PreparedPoolsInput,
): Promise<{ pools?: PreparedPools; problems: Problem[] }> {
  const { identity, now, localAgent, hosts, providers } = input
  let { config, material } = input
  const current = new Map<string, PreparedPool>()
  // A certificate and a configuration that change at once must not undo each other.
  const oneByOne = limit(1)
  const ownerOf = (pool: string): Ownership => ({ ...identity, pool })

  async function prepare(
    pool: ProvidedPool,
    by: MasterConfig,
    into: Map<string, PreparedPool>,
  ): Promise<Problem[]> {
    const owner = ownerOf(pool.pool_name)
    // Only a dry run shows the request; a launch makes its own, with its own intent.
    const intent = { id: 'none', count: 1 }
    const { prepared, problems } = await preparePool({
      config: by,
      pool,
      material,
      now: now(),
      owner,
      intent,
      localAgent,
      providers,
      masterHost: hosts.get(pool.pool_name),
    })
    if (prepared) into.set(pool.pool_name, prepared)
    return problems
  }
  const prepareAll = async (by: MasterConfig, into: Map<string, PreparedPool>) =>
    (await Promise.all(by.resource_pools.filter(isProvided).map((pool) => prepare(pool, by, into)))).flat()

  const problems = await prepareAll(config, current)
  if (problems.some(isError)) return { problems }
  return {
    problems,
    pools: {
      names: config.resource_pools.filter(isProvided).map((pool) => pool.pool_name),
      get: (pool) => current.get(pool)!,
      ownerOf,
      renew: (renewed) =>
        oneByOne(() => {
          material = renewed
          return prepareAll(config, current)
        }),
      use: (changed) =>
        oneByOne(async () => {
          const prepared = new Map<string, PreparedPool>()
          const problems = await prepareAll(changed, prepared)
          if (problems.some(isError)) return problems
          config = changed
          for (const [name, pool] of prepared) current.set(name, pool)
          return problems
        }),
    },
  }
}

// Whether VMs may be launched now, and with what: the last answer of the preflight, and the user data that goes with it.

export interface LaunchGate {
  /** Only looks; dials nothing. */
  material(): LaunchMaterial
  /** Dials now; resolves when the answer counts. */
  ask(): Promise<void>
  stop(): void
}

export interface LaunchGateOptions {
  /** As it is now: a renewed certificate changes it. */
  prepared: () => PreparedPool
  clock: Clock
  logger: Logger
}

const againMs = { yes: 60_000, probe: 30_000, no: 10_000 }

/** Asks again from time to time, sooner while the answer is no, until stopped. */
export function launchGate({ prepared, clock, logger }: LaunchGateOptions): LaunchGate {
  const { pool } = prepared()
  const stopping = new AbortController()
  // One dial after the other: the answer that stands is that of the newest user data.
  const oneByOne = limit(1)
  const pending = problem('PREFLIGHT_PENDING', 'the preflight has not answered yet')
  let answer: Answer = { launch: 'no', problems: [pending] }
  /** SHA-256 of the user data it is about. */
  let answered: string | undefined
  let said = ''

  async function askNow(): Promise<void> {
    const asked = prepared()
    answer = await dial(asked, clock, stopping.signal)
    answered = asked.userData.sha256
    const words = answer.problems.map(({ code, message }) => `${code} ${message}`).join('\n')
    if (words !== said)
      for (const p of answer.problems)
        logger.warn(p.message, { pool: pool.pool_name, code: p.code, remedy: p.remedy })
    if (said && !words) logger.info('the master can be joined again', { pool: pool.pool_name })
    said = words
  }
  const ask = () => oneByOne(askNow)

  async function keepAsking(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(againMs[answer.launch], stopping.signal)
      await ask()
    }
  }
  keepAsking().catch((error: unknown) => {
    if (!stopping.signal.aborted) logger.error('the preflight failed', { pool: pool.pool_name, error })
  })

  return {
    material() {
      if (answer.launch === 'no') return { kind: 'refused', problem: answer.problems.at(-1)! }
      const { userData, setup } = prepared()
      if (userData.sha256 !== answered) return { kind: 'refused', problem: pending }
      return {
        kind: 'ready',
        userData,
        version: versionOf(pool.provider, setup.master),
        probe: answer.launch === 'probe',
      }
    },
    ask,
    stop: () => stopping.abort(),
  }
}

interface Answer {
  launch: 'yes' | 'probe' | 'no'
  /** What stands in the way comes last. */
  problems: Problem[]
}

/** Nothing is dialled for a pool that wants no preflight. */
async function dial(prepared: PreparedPool, clock: Clock, signal: AbortSignal): Promise<Answer> {
  const { preflight: mode } = prepared.pool.provider
  if (mode === 'off') return { launch: 'yes', problems: [] }
  const result = await preflightPool(prepared, clock, signal)
  const { launch, problem } = applyPreflight(mode, result)
  return { launch, problems: [...result.warnings, ...(problem ? [problem] : [])] }
}

/** The same as long as requests for the same user data would be the same. */
function versionOf(...parts: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

// The preflight of one pool: dials the master as an agent of the pool would.

/** Milliseconds for everything together. */
const timeoutMs = 5000

/** Rejects only with the signal's reason. Whether the pool wants a preflight is up to who asks. */
export function preflightPool(
  { pool, setup, hasClientCertificate }: DialablePool,
  clock: Clock,
  signal?: AbortSignal,
): Promise<PreflightResult> {
  const { preflight_address } = pool.provider
  return preflight({
    address: setup.master,
    dialAddress: preflight_address === undefined ? undefined : hostAndPort(preflight_address),
    plan: setup.trust,
    timeoutMs,
    clock,
    signal,
    agentsHaveClientCertificate: hasClientCertificate,
  })
}

/** `host:port`, IPv6 in brackets, as the configuration has checked it. */
function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) }
}
