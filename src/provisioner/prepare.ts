// The plan of every pool of a configuration: how its agents trust the master, the user data, the request for its VMs.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import {
  type AgentConfig,
  type AgentSetup,
  mastersOf,
  type ProvidedPool,
  placeOf,
  setUpAgents,
  type UserData,
  type UserTemplate,
} from '../agent-setup/index.ts'
import { type MasterConfig, type PoolConfig, type ProviderConfig, requiresProof } from '../config/index.ts'
import {
  type CertificateFacts,
  masterUrl,
  type RootSource,
  type TlsCredentials,
  type TrustPlan,
} from '../pki/index.ts'
import { isError, type Problem, ProvisionError, problem } from '../problems/index.ts'
import { type AnyProvider, definitionOf, type LaunchRequest, machineOf } from '../providers/index.ts'
import { type LaunchedNow, launchedNow } from '../rollout/index.ts'
import { identityHere, type StoredIdentity } from '../state/index.ts'
import { loadMasterCertificate } from './certificate.ts'
import { commandAgentProblems, severalMastersProblems } from './command-agents.ts'
import { type Identity, identityWarnings, ownerOf, peekIdentity } from './identity.ts'

export interface PlanAllOptions {
  /** Names of the requested pools; default: all. */
  pools?: string[]
  /** Agents dial it instead of an alias or a missing host. */
  masterHost?: string
  /** The same by pool; takes precedence over `masterHost`. */
  hosts?: ReadonlyMap<string, string>
  /** Milliseconds since the epoch. */
  now: number
  /** How a local VM starts its agent; default: with this program. */
  localAgent?: string[]
  /** Every kind of provider there is. */
  providers: readonly AnyProvider[]
  /** Well-known roots; default: those that Node.js ships with. */
  roots?: RootSource
  /** Of earlier starts; default: as far as it is known without a network. */
  stored?: StoredIdentity
}

/**
 * Each pool has its own problems; shared ones are in `problems`. With an unusable certificate no pool is ready, but
 * everything else of each is judged. Needs no network, credentials or key, and writes nothing.
 * Throws USAGE for a pool that does not exist or has no provider.
 */
export async function planAll(
  config: MasterConfig,
  { pools, stored = identityHere(config), ...options }: PlanAllOptions,
): Promise<{ plans: PoolPlan[]; problems: Problem[] }> {
  const chosen = choosePools(config, pools)
  const loaded = loadMasterCertificate(config, { now: options.now, withKey: false })
  const problems = [...loaded.problems]
  const identity = await peekIdentity(config, stored)
  if (stored) problems.push(...(await identityWarnings({ config, stored, providers: options.providers })))
  return {
    plans: await planPools(chosen, { config, ...certificateInput(loaded), identity, ...options }),
    problems,
  }
}

/** What plans need to know of a certificate, also of one with errors. */
export function certificateInput({
  certificate,
  faulty,
  problems,
}: ReturnType<typeof loadMasterCertificate>): Pick<PlanInput, 'certificate' | 'certificateFaults'> {
  const faults = problems.filter(isError)
  return { certificate: certificate ?? faulty, ...(faults.length > 0 && { certificateFaults: faults }) }
}

/** What is known about a pool before anything is launched, as far as it could be determined. */
export interface PoolPlan {
  pool: ProvidedPool
  /** Its VMs are processes of this machine. */
  onThisMachine: boolean
  /** Of the master, when this was planned; undefined without TLS. */
  certificate: TlsCredentials | undefined
  /** How its agents are set up: enough to dial the master as one of them would. Missing when that has an error. */
  setup?: AgentSetup
  /** Agents present a certificate that is on their machine image, not here. */
  hasClientCertificate: boolean
  /** What its instances are made from. Missing, like the request, when a problem is an error. */
  launchedNow?: LaunchedNow
  userData?: UserData
  /** An example: each launch creates its own, with its own intent. */
  request?: LaunchRequest
  /** The same for a job that needs several instances, where such a job gets a launch of its own; of 2 as an example. */
  gangRequest?: LaunchRequest
  problems: Problem[]
}

/** A plan with which VMs can be launched. */
export type ReadyPlan = PoolPlan & Required<Pick<PoolPlan, 'setup' | 'userData' | 'request' | 'launchedNow'>>

export function isReady(plan: PoolPlan): plan is ReadyPlan {
  return plan.request !== undefined
}

/** The inputs of every plan, in addition to its pool. */
export interface PlanInput {
  config: MasterConfig
  /** Of the master, when TLS is configured. */
  certificate: TlsCredentials | undefined
  /** Its errors: with any, no pool is ready. */
  certificateFaults?: readonly Problem[]
  /** Pools of which only the keys of every provider are known: no request is planned. */
  partlyRead?: ReadonlySet<PoolConfig>
  identity: Identity
  hosts?: ReadonlyMap<string, string>
  masterHost?: string
  now: number
  localAgent?: string[]
  providers: readonly AnyProvider[]
  roots?: RootSource
}

/** The same for a dry run, a check and a start. */
export function planPools(pools: ProvidedPool[], input: PlanInput): Promise<PoolPlan[]> {
  return Promise.all(pools.map((pool) => planPool(pool, input)))
}

/** A placeholder for the intent that a real launch would write down first. */
const exampleIntent = { id: '00000000-0000-4000-8000-000000000000' }

/** Runs every step whose inputs exist, and collects the problems of all. */
async function planPool(pool: ProvidedPool, input: PlanInput): Promise<PoolPlan> {
  const { config, certificate, certificateFaults, identity, now, providers } = input
  const { localAgent = localAgentCommand() } = input
  const { provider, pool_name } = pool
  const definition = definitionOf(providers, provider)
  const isWhole = !input.partlyRead?.has(pool)
  const { template, problems: unread } = loadTemplate(provider)
  const facts = isWhole ? definition.agent(provider, localAgent) : { slotType: 'auto' as const }
  const agents = await setUpAgents({
    config,
    pool,
    providers,
    material: certificate,
    certificateFaults,
    now,
    roots: input.roots,
    masterHost: input.hosts?.get(pool_name) ?? input.masterHost,
    template,
    machine: machineOf(definition),
    machines: providers.map(machineOf),
    facts,
  })
  const { setup, draft, userData, hasClientCertificate } = agents
  const requestFor = (intent: { count: number; gang?: true }) =>
    definition.request({
      config: provider,
      owner: ownerOf(identity, pool_name),
      setup: draft,
      intent: { ...exampleIntent, offerings: definition.offerings(provider), ...intent },
    })
  const request = isWhole && requestFor({ count: 1 })
  const hasGangs = isWhole && provider.max_instances > 1 && definition.separatesGangs?.(provider)
  const problems = [
    ...agents.problems,
    ...unread,
    ...commandAgentProblems(config, pool, facts, localAgent),
    ...severalMastersProblems(config, pool),
    ...(request ? request.problems : []),
    ...(isWhole ? joinProblems(pool, input) : []),
  ]
  const isReady = setup !== undefined && request && !problems.some(isError)
  const { onThisMachine } = definition
  return {
    pool,
    onThisMachine,
    certificate,
    setup,
    hasClientCertificate,
    ...(isReady && {
      userData,
      request,
      launchedNow: launchedNow({ pool, setup, template, providers }),
      ...(hasGangs && { gangRequest: requestFor({ count: 2, gang: true }) }),
    }),
    problems,
  }
}

/** Why instances of a pool that requires join proofs could not make any. */
function joinProblems(pool: ProvidedPool, { config, providers }: PlanInput): Problem[] {
  const { provider } = pool
  if (!requiresProof(provider)) return []
  const found = definitionOf(providers, provider).joinProblems?.(provider) ?? []
  return found.map((one) => ({ ...one, where: one.where ?? placeOf(config, pool, 'join') }))
}

// The pools of a configuration that have a provider.

export function isProvided(pool: { provider?: unknown }): pool is ProvidedPool {
  return pool.provider !== undefined
}

/** Those with these names, or all that have a provider. Throws USAGE and NO_PROVIDED_POOLS. */
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

/** The one named, or the only one. Throws USAGE when there are several to choose from. */
export function choosePool(config: MasterConfig, name?: string): ProvidedPool {
  const pools = choosePools(config, name === undefined ? undefined : [name])
  if (pools.length === 1) return pools[0]!
  const choices = pools.map(({ pool_name }) => `--pool ${pool_name}`)
  throw new ProvisionError(
    problem('USAGE', `${config.file} has ${pools.length} pools to choose from`, {
      remedy: `Name one: ${choices.join(' or ')}.`,
    }),
  )
}

// How a local VM's script starts its agent: this program, with the Node.js that runs it.

function localAgentCommand(): string[] {
  return [process.execPath, resolve(process.argv[1] ?? ''), 'agent']
}

/** The pool's own template, when it names one. */
function loadTemplate(provider: ProviderConfig): { template?: UserTemplate; problems: Problem[] } {
  const name = provider.agent_setup_template
  if (!name) return { problems: [] }
  try {
    return { template: { name, text: readFileSync(name, 'utf8') }, problems: [] }
  } catch (cause) {
    const message = `agent_setup_template cannot be read: ${(cause as Error).message}`
    return { problems: [problem('TEMPLATE_UNREADABLE', message, { where: { file: name }, cause })] }
  }
}

// The output of `provision --dry-run --format json` for each pool: a stable format for programs.

export interface DryRunPool {
  pool: string
  provider: ProviderConfig['type']
  /** The startup script. */
  userData: string
  encoding: UserData['encoding']
  /** The user data as the cloud gets it. */
  packedBase64: string
  bytes: UserData['bytes']
  /** Of the script, in hex. */
  sha256: string
  tls: {
    enabled: boolean
    mode: TrustPlan['mode']
    modeReason: string
    /** The name agents verify the master's certificate against. */
    certificateName: string | null
    certificateNameReason: string
    /** What agents dial; of several addresses the first. */
    masterUrl: string
    masterHost: string
    masterPort: number
    /** All of them. */
    masterUrls: readonly string[]
    /** What agents trust, leaf first; empty where nothing is embedded. */
    chain: Omit<CertificateFacts, 'pem'>[]
    /** What `system` adds to the CAs of the machine; null when the chain's root is not known, and in every other mode. */
    wellKnownRoot: Omit<CertificateFacts, 'pem'> | null
  }
  /** How its instances get their client certificates; null without `join`. */
  join: {
    proof: 'required'
    /** Where they ask for one. */
    url: string
    /** The name that they verify in the certificate of that address. */
    name: string
    /** Of several masters the others, where they ask as well. */
    others: readonly { url: string; name: string }[]
    /** They verify it by a chain of its own, which the user data also contains. */
    hasOwnChain: boolean
    /** Kinds of proof, in the order in which they are tried. */
    proofs: readonly string[]
  } | null
  /** agent.yaml. */
  agentConfig: AgentConfig
  /** The API call a launch would make, with an example of an intent. */
  request: Omit<LaunchRequest, 'problems'>
  /** The same for a job that needs several instances (2 as an example), where each such job gets a launch of its own. */
  gangRequest?: Omit<LaunchRequest, 'problems'>
  warnings: Pick<Problem, 'code' | 'message' | 'remedy'>[]
}

/** `problems` become warnings; a caller may have more than those of the plan. */
export function dryRunPool(plan: ReadyPlan, problems: Problem[] = plan.problems): DryRunPool {
  const { pool, setup, userData, request, gangRequest } = plan
  const { trust, master, agentConfig } = setup
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
      masterUrls: mastersOf(setup).map(masterUrl),
      chain: trust.chain.map(withoutPem),
      wellKnownRoot: trust.wellKnownRoot ? withoutPem(trust.wellKnownRoot) : null,
    },
    join: joinOf(setup),
    agentConfig,
    request: callOf(request),
    ...(gangRequest && { gangRequest: callOf(gangRequest) }),
    warnings: problems.map(({ code, message, remedy }) => ({ code, message, remedy })),
  }
}

function joinOf({ join }: AgentSetup): DryRunPool['join'] {
  if (!join) return null
  const { url, name, others = [], chain, proofs } = join
  return { proof: 'required', url, name, others, hasOwnChain: chain !== undefined, proofs }
}

function callOf({ problems: _, ...call }: LaunchRequest): DryRunPool['request'] {
  return call
}

function withoutPem({ pem: _pem, ...facts }: CertificateFacts): Omit<CertificateFacts, 'pem'> {
  return facts
}
