// Every pool of a configuration, prepared as a dry run and a start both need it.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { mergeAgentConfig } from '../agent-setup/agent-config.ts'
import { packUserData, type UserData } from '../agent-setup/pack.ts'
import { renderScript } from '../agent-setup/render.ts'
import { type AgentSetup, agentSetupOf } from '../agent-setup/setup.ts'
import { type PoolTrustInput, type ProvidedPool, placeOf, poolTrust } from '../agent-setup/trust.ts'
import type { UserTemplate } from '../agent-setup/user-template.ts'
import type { MasterConfig } from '../config/master-config.ts'
import type { ProviderConfig } from '../config/provider-keys.ts'
import { loadMaterial, type TlsMaterial } from '../pki/credentials.ts'
import { masterUrl } from '../pki/trust-plan.ts'
import { isError, type Problem, ProvisionError, problem } from '../problems/problem.ts'
import type { Intent, LaunchRequest, Ownership } from '../providers/contract.ts'
import { type AnyProvider, definitionOf, machineOf } from '../providers/definition.ts'
import { peekIdentity } from './state.ts'

export interface PrepareAllOptions {
  /** Names of the pools wanted; all without it. */
  pools?: string[]
  masterHost?: string
  /** What agents dial, by pool; wins over `masterHost`. */
  hosts?: ReadonlyMap<string, string>
  /** Milliseconds since the epoch. */
  now: number
  localAgent: string[]
  /** Every kind of provider there is. */
  providers: readonly AnyProvider[]
}

export interface PoolOutcome extends PreparedOutcome {
  pool: ProvidedPool
}

/** Stands for the intent that a real launch would write down first. */
const exampleIntent = { id: '00000000-0000-4000-8000-000000000000', count: 1 }

/**
 * Pools fail one by one; what they share is in `problems`. Needs no network, credentials or key, and writes nothing.
 * Throws USAGE for a pool that does not exist or is not ours to launch.
 */
export async function prepareAll(
  config: MasterConfig,
  { pools, masterHost, hosts, now, localAgent, providers }: PrepareAllOptions,
): Promise<{ outcomes: PoolOutcome[]; problems: Problem[] }> {
  const chosen = choosePools(config, pools)
  const { material, problems } = loadMasterMaterial(config, { now, withKey: false })
  if (problems.some(isError)) return { outcomes: [], problems }
  const { clusterId, writerId } = peekIdentity(config)
  const outcomes = await Promise.all(
    chosen.map(async (pool): Promise<PoolOutcome> => {
      const owner = { clusterId, writerId, pool: pool.pool_name }
      const dialled = hosts?.get(pool.pool_name) ?? masterHost
      const common = { config, pool, material, now, owner, intent: exampleIntent, localAgent, providers }
      return { pool, ...(await preparePool({ ...common, masterHost: dialled })) }
    }),
  )
  return { outcomes, problems }
}

export function isProvided(pool: { provider?: unknown }): pool is ProvidedPool {
  return pool.provider !== undefined
}

/** Those of these names, or all that are ours to launch. Throws USAGE and NO_PROVIDED_POOLS. */
export function choosePools(config: MasterConfig, names?: string[]): ProvidedPool[] {
  const provided = config.resource_pools.filter(isProvided)
  const known = provided.map((pool) => pool.pool_name)
  for (const name of names ?? known)
    if (!known.includes(name)) {
      const exists = config.resource_pools.some((pool) => pool.pool_name === name)
      const message = exists ? `pool ${name} has no provider` : `${config.file} has no pool ${name}`
      throw new ProvisionError(
        problem('USAGE', message, { remedy: `Pools with a provider: ${known.join(', ')}.` }),
      )
    }
  if (provided.length === 0)
    throw new ProvisionError(problem('NO_PROVIDED_POOLS', `no pool of ${config.file} has a provider`))
  return provided.filter((pool) => !names || names.includes(pool.pool_name))
}

// Everything known about a pool before anything is launched: trust, agent configuration, user data, request.

/** What is enough to dial the master as an agent of the pool would. */
export interface DialablePool {
  pool: ProvidedPool
  setup: AgentSetup
  /** Agents show a certificate that lies on their machine image, not here. */
  hasClientCertificate: boolean
}

export interface PreparedPool extends DialablePool {
  /** Its VMs are processes of this machine. */
  onThisMachine: boolean
  userData: UserData
  request: LaunchRequest
}

export interface PreparedOutcome {
  /** undefined when a problem is an error. */
  prepared?: PreparedPool
  /** Also when only the user data or the request is wrong. */
  dialable?: DialablePool
  problems: Problem[]
}

export interface PrepareInput extends PoolTrustInput {
  providers: readonly AnyProvider[]
  owner: Ownership
  /** The intent the request is shown for; its offerings are the pool's. */
  intent: Omit<Intent, 'offerings'>
  /** The agent's command line where VMs are processes of this machine. */
  localAgent: string[]
}

/** Takes every step whose input is there, and collects the problems of all. There is a result only without errors. */
export async function preparePool(input: PrepareInput): Promise<PreparedOutcome> {
  const { config, pool, owner, providers } = input
  const { provider } = pool
  const definition = definitionOf(providers, provider)
  const { master, trust, problems } = poolTrust(input)
  const { template, problems: unread } = loadTemplate(provider)
  problems.push(...unread)
  if (!trust) return { problems }
  const merged = mergeAgentConfig(provider.agent_config_file_contents, trust, {
    where: placeOf(config, pool, 'agent_config_file_contents'),
    requireAuthentication: config.resource_manager.require_authentication,
  })
  const setup = agentSetupOf({
    pool,
    master,
    trust,
    agentConfig: merged.config,
    machine: machineOf(definition),
    machines: providers.map(machineOf),
    facts: definition.agent(provider, input.localAgent),
  })
  const hasClientCertificate = merged.clientCertificate !== undefined
  const dialable = merged.problems.some(isError) ? undefined : { pool, setup, hasClientCertificate }
  const allowSecrets = provider.allow_secrets_in_user_data
  const rendered = await renderScript(setup, { template, allowSecrets })
  const intent = { ...input.intent, offerings: definition.offerings(provider) }
  const request = definition.request({ config: provider, owner, setup, intent })
  problems.push(...merged.problems, ...rendered.problems, ...request.problems)
  if (rendered.script === undefined) return { dialable, problems }
  const packed = await packUserData(rendered.script, setup)
  problems.push(...packed.problems)
  if (!packed.userData || !dialable || problems.some(isError)) return { dialable, problems }
  const { onThisMachine } = definition
  const prepared = { ...dialable, onThisMachine, userData: packed.userData, request }
  return { prepared, dialable, problems }
}

// The one pool a command is about.

/** The one named, or the only one. Throws USAGE when there are several to choose from. */
export function choosePool(config: MasterConfig, name?: string): ProvidedPool {
  const pools = choosePools(config, name === undefined ? undefined : [name])
  if (pools.length === 1) return pools[0]!
  const choices = pools.map(({ pool_name }) => `--pool ${pool_name}`)
  throw new ProvisionError(
    problem('USAGE', `${config.file} has ${pools.length} pools to choose from`, {
      remedy: `Say which one: ${choices.join(' or ')}.`,
    }),
  )
}

// How a local VM's script starts its agent: this very program, with the Node.js that runs it.

export function localAgentCommand(): string[] {
  return [process.execPath, resolve(process.argv[1] ?? ''), 'agent']
}

// The files a configuration names, read once for all pools.

export interface MaterialOptions {
  /** Milliseconds since the epoch. */
  now: number
  /** Only a process that serves with the key reads it; left out: the built-in master does. */
  withKey?: boolean
}

/** `security.tls.cert`, with its key when asked for; nothing and no problem when TLS is not configured. */
export function loadMasterMaterial(
  { file, security, demand }: MasterConfig,
  { now, withKey = demand.type === 'built-in' }: MaterialOptions,
): { material?: TlsMaterial; problems: Problem[] } {
  const files = security.tls
  if (!files) return { problems: [] }
  const where = {
    cert: { file, path: 'security.tls.cert' },
    key: { file, path: 'security.tls.key' },
  }
  return loadMaterial({ certFile: files.cert, keyFile: withKey ? files.key : undefined }, { now, where })
}

/** The pool's own template, when it names one. */
export function loadTemplate(provider: ProviderConfig): { template?: UserTemplate; problems: Problem[] } {
  const name = provider.agent_setup_template
  if (!name) return { problems: [] }
  try {
    return { template: { name, text: readFileSync(name, 'utf8') }, problems: [] }
  } catch (cause) {
    const message = `agent_setup_template cannot be read: ${(cause as Error).message}`
    return { problems: [problem('TEMPLATE_UNREADABLE', message, { where: { file: name }, cause })] }
  }
}

// What `provision --dry-run --format json` prints for each pool: a stable shape for programs.

export type DryRunPool = ReturnType<typeof dryRunPool>

export function dryRunPool({ pool, setup, userData, request }: PreparedPool, problems: Problem[]) {
  const { trust, master, agentConfig } = setup
  const { problems: _, ...call } = request
  return {
    pool: pool.pool_name,
    provider: pool.provider.type,
    userData: userData.script,
    encoding: userData.encoding,
    packedBase64: Buffer.from(userData.packed).toString('base64'),
    bytes: userData.bytes,
    sha256: userData.sha256,
    tls: {
      enabled: trust.mode !== 'off',
      mode: trust.mode,
      modeReason: trust.modeReason,
      certificateName: trust.certificateName ?? null,
      certificateNameReason: trust.certificateNameReason,
      masterUrl: masterUrl(master),
      masterHost: master.host,
      masterPort: master.port,
      chain: trust.chain.map(({ pem: _pem, ...facts }) => facts),
    },
    agentConfig,
    request: call,
    warnings: problems.map(({ code, message, remedy }) => ({ code, message, remedy })),
  }
}
