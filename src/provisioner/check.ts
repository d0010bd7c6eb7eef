// `provision check`: everything that can be checked before a launch. Nothing is written, launched or terminated.
import type { ProvidedPool } from '../agent-setup/index.ts'
import { loadConfig, type MasterConfig, masterAddressOf, requiresProof } from '../config/index.ts'
import {
  authorityOf,
  type Clock,
  createLogger,
  destinationOf,
  type Environment,
  type Logger,
  proxyFor,
  shownProxy,
  systemClock,
  wallTime,
} from '../platform/index.ts'
import { ProvisionError, placeOf } from '../problems/index.ts'
import { type AnyProvider, definitionOf, resolveHost } from '../providers/index.ts'
import { checkDatabase, type JoinStore, openStateReader, type StoredIdentity } from '../state/index.ts'
import {
  type CheckRow,
  checkAgents,
  checkCertificate,
  checkClientCas,
  checkCloud,
  checkDemand,
  checkIdentity,
  checkJoinProof,
  checkMaster,
  rowsOf,
} from './check-rows.ts'
import { peekIdentity } from './identity.ts'
import { probeOf } from './join-probe.ts'
import type { ProbeCertificate } from './preflight-gate.ts'
import { choosePools, type PoolPlan, planAll } from './prepare.ts'

export interface CheckOptions {
  /** The configuration. */
  file: string
  /** Names of the requested pools; default: all. */
  pools?: string[]
  /** Dialled in place of an alias. */
  masterHost?: string
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
  /** Every kind of provider there is. */
  providers: readonly AnyProvider[]
}

/** Every row, also after one that failed, except rows that depend on it. Throws USAGE for a pool that does not exist. */
export async function checkAll(options: CheckOptions): Promise<CheckRow[]> {
  const { file, env, clock, providers } = options
  const { config, problems } = loadConfig(file, { env, providers })
  const { passed, notChecked, of } = rowsOf('configuration')
  const faults = problems.map((fault) => of(fault.where ? placeOf(fault.where) : file, fault))
  if (!config) return [...faults, notChecked('all else', 'the configuration must be valid first')]
  const pools = choosePools(config, options.pools)
  const state = await checkState(config, env)
  // Without its database nothing of earlier starts is known, and its row says so.
  const isKnown = !state.some(({ result }) => result === 'failed')
  const store = isKnown ? await openStateReader(config, env) : undefined
  const stored = store?.identity
  const { probe, rows: authority } = await probed(config, store?.join, options)
  const [demand, network, identity, ...rows] = await Promise.all([
    checkDemand({ config, env, clock, logger: options.logger }),
    checkNetwork(config, pools, { env, providers }),
    stored ? checkIdentity({ config, stored, providers }) : [],
    checkPools(config, pools, { ...options, stored, probe }),
  ]).finally(store?.close)
  const found = passed(file, `${pools.length} pool${pools.length === 1 ? '' : 's'} with a provider`)
  return [
    found,
    ...faults,
    ...state,
    ...identity,
    ...checkCertificate(config, wallTime(clock)),
    ...checkClientCas(config),
    ...authority,
    ...demand,
    ...network,
    ...rows.flat(),
  ]
}

/** The certificate for the probe of masters, and why there is none. */
async function probed(
  config: MasterConfig,
  store: JoinStore | undefined,
  options: Pick<CheckOptions, 'clock' | 'env'>,
): Promise<{ probe: ProbeCertificate | undefined; rows: CheckRow[] }> {
  try {
    return { probe: store && (await probeOf(config, store, options)), rows: [] }
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error
    const { of } = rowsOf('certificate')
    return { probe: undefined, rows: error.problems.map((found) => of('agents_ca', found)) }
  }
}

/** With what the store remembers of earlier starts. */
type PoolCheckOptions = CheckOptions & {
  stored: StoredIdentity | undefined
  /** Of the agents' CA, if there is one. */
  probe: ProbeCertificate | undefined
}

async function checkPools(
  config: MasterConfig,
  pools: ProvidedPool[],
  options: PoolCheckOptions,
): Promise<CheckRow[]> {
  const { hosts, rows } = await hostsOf(config, pools, options)
  const names = pools.map(({ pool_name }) => pool_name)
  // Problems of the certificate are in the rows of the certificate.
  const { plans } = await planAll(config, {
    pools: names,
    hosts,
    now: wallTime(options.clock),
    providers: options.providers,
    ...(options.stored && { stored: options.stored }),
  })
  const checked = pools.map((pool) => {
    const plan = plans.find((one) => one.pool === pool)
    return checkPool(config, pool, plan, hosts.get(pool.pool_name), options)
  })
  return [...rows, ...(await Promise.all(checked)).flat()]
}

async function checkPool(
  config: MasterConfig,
  pool: ProvidedPool,
  plan: PoolPlan | undefined,
  masterHost: string | undefined,
  options: PoolCheckOptions,
): Promise<CheckRow[]> {
  const { clock, providers, stored } = options
  const identity = await peekIdentity(config, stored)
  const subject = `pool ${pool.pool_name}`
  const isOurs = config.demand.type === 'built-in'
  const { address } = masterAddressOf(config, pool, { masterHost, providers })
  const certificate = options.probe
  const [master, proof, cloud] = await Promise.all([
    checkMaster(subject, plan, { clock, isOurs, certificate }),
    requiresProof(pool.provider) ? checkJoinProof(subject, plan, { clock, certificate }) : [],
    checkCloud(subject, pool, address, { ...options, config, identity }),
  ])
  return [...checkAgents(subject, plan), ...master, ...proof, ...cloud]
}

/** An alias can be resolved only on an instance of the cloud; elsewhere the pool is checked without it. */
async function hostsOf(
  config: MasterConfig,
  pools: ProvidedPool[],
  { masterHost, env, clock, providers }: CheckOptions,
): Promise<{ hosts: Map<string, string>; rows: CheckRow[] }> {
  const hosts = new Map<string, string>()
  const rows: CheckRow[] = []
  const find = async (pool: ProvidedPool) => {
    const { host } = masterAddressOf(config, pool, { masterHost, providers }).address
    try {
      hosts.set(pool.pool_name, await resolveHost(host, providers, { fetch: globalThis.fetch, clock, env }))
    } catch (error) {
      if (!(error instanceof ProvisionError)) throw error
      hosts.set(pool.pool_name, host)
      const note = `${host} can be resolved only on an instance of the cloud; set --master-host to check another address`
      rows.push(rowsOf(`pool ${pool.pool_name}`).notChecked('master address', note))
    }
  }
  await Promise.all(pools.map(find))
  return { hosts, rows }
}

// What a check needs from this process.

/** Only what a provider cannot report in a row is logged. */
export function checkSurroundings(write: (line: string) => void): Pick<CheckOptions, 'clock' | 'logger'> {
  const logger = createLogger({ format: 'text', level: 'warn', clock: systemClock, write })
  return { clock: systemClock, logger }
}

// The row about the database of the state.

/** No row for a folder: a start checks its rights. */
async function checkState(
  { state }: MasterConfig,
  env: Readonly<Record<string, string | undefined>>,
): Promise<CheckRow[]> {
  if (state.type !== 'postgres') return []
  const { passed, of } = rowsOf('state')
  try {
    const { note, problems } = await checkDatabase(state, env)
    return [passed('database', note), ...problems.map((found) => of('database', found))]
  } catch (error) {
    if (error instanceof ProvisionError) return error.problems.map((found) => of('database', found))
    throw error
  }
}

// The rows about proxies: which connection goes through which one.

interface NetworkInput {
  env: Environment
  providers: readonly AnyProvider[]
}

const variables = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY']

/** No row if the environment names no proxy. */
async function checkNetwork(
  { demand }: MasterConfig,
  pools: ProvidedPool[],
  { env, providers }: NetworkInput,
): Promise<CheckRow[]> {
  if (!variables.some((name) => env[name] || env[name.toLowerCase()])) return []
  const { passed, notChecked, of } = rowsOf('network')
  try {
    const clouds = await Promise.all(
      pools.map(({ provider }) => definitionOf(providers, provider).endpoints?.(provider, env) ?? []),
    )
    const urls = new Set([...(demand.url ? [demand.url] : []), ...clouds.flat()])
    const rows = [...urls].map((url) => {
      const destination = destinationOf(new URL(url))
      const proxy = proxyFor(destination, env)
      const way = proxy ? `through ${shownProxy(proxy)} (${proxy.variable})` : 'directly'
      return passed(authorityOf(destination), way)
    })
    const why = 'never uses a proxy: agents dial the master without the proxy of this machine'
    return pools.length > 0 ? [...rows, notChecked('preflight', why)] : rows
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error
    return error.problems.map((fault) => of('proxy', fault))
  }
}
