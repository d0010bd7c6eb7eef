// The rows of `provision check`: what was checked, and the result.

import { join } from 'node:path'
import { type AgentSetup, joinEndpointsOf, type ProvidedPool } from '../agent-setup/index.ts'
import type { DemandConfig, MasterConfig } from '../config/index.ts'
import { productName } from '../http/index.ts'
import {
  applyPreflight,
  type DemandFinding,
  type MasterAddress,
  type MasterInfo,
  type PreflightResult,
  pathFacts,
  probeDemand,
} from '../pki/index.ts'
import { type Clock, fileNameOf, type Logger } from '../platform/index.ts'
import { codeGroups, codeInfo, isError, type Problem, ProvisionError, problem } from '../problems/index.ts'
import { type AnyProvider, definitionOf, type ProviderContext } from '../providers/index.ts'
import { loadMasterCertificate } from './certificate.ts'
import { checkDeterminedDemand } from './demand.ts'
import { type Identity, type IdentityInput, identityProblems, ownerOf } from './identity.ts'
import { readClientCa } from './listeners.ts'
import { dialTimeoutMs, type ProbeCertificate, preflightAddresses, preflightPool } from './preflight-gate.ts'
import type { PoolPlan } from './prepare.ts'

/** `not_checked` does not count as `passed`: the note gives the reason. */
export type CheckResult = 'passed' | 'warning' | 'failed' | 'not_checked'

export interface CheckRow {
  /** `configuration`, `state`, `certificate`, `demand`, or `pool NAME`. */
  subject: string
  what: string
  result: CheckResult
  /** What was found if nothing is wrong, or why it was not checked. */
  note?: string
  problem?: Problem
}

/** Rows of one subject. */
export interface RowMaker {
  passed(what: string, note?: string): CheckRow
  notChecked(what: string, note: string): CheckRow
  /** A warning or a failure, as the problem's severity says. */
  of(what: string, problem: Problem): CheckRow
}

export function rowsOf(subject: string): RowMaker {
  return {
    passed: (what, note) => ({ subject, what, result: 'passed', ...(note && { note }) }),
    notChecked: (what, note) => ({ subject, what, result: 'not_checked', note }),
    of: (what, problem) => ({ subject, what, result: isError(problem) ? 'failed' : 'warning', problem }),
  }
}

/** 3 when the configuration or a certificate is refused, 4 for any other failure, else 0. */
export function exitOfRows(rows: CheckRow[]): 0 | 3 | 4 {
  const failed = rows.flatMap(({ result, problem }) => (result === 'failed' && problem ? [problem] : []))
  if (failed.length === 0) return 0
  return failed.some(({ code }) => codeInfo(code).exit === 3) ? 3 : 4
}

// Rows about the identity of a provisioner with this configuration.

export async function checkIdentity(input: IdentityInput): Promise<CheckRow[]> {
  const { of } = rowsOf('configuration')
  return (await identityProblems(input)).map((fault) => of('identity', fault))
}

// Rows about the certificate that this configuration serves, or that agents trust.

const dayMs = 86_400_000

/** @param now milliseconds since the epoch */
export function checkCertificate(config: MasterConfig, now: number): CheckRow[] {
  const { passed, notChecked, of } = rowsOf('certificate')
  const files = config.security.tls
  if (!files)
    return [
      notChecked(
        'chain',
        'security.tls is not set: with https, agents use the trust settings of their pools',
      ),
    ]
  const { certificate, problems } = loadMasterCertificate(config, { now })
  const faults = problems.map((problem) => of(isAboutKey(problem) ? 'key' : 'chain', problem))
  if (!certificate) return faults
  const facts = pathFacts(certificate.path)
  const end = Math.min(...facts.map(({ notAfter }) => Date.parse(notAfter)))
  const days = Math.floor((end - now) / dayMs)
  const chain = facts.map(({ role }) => role).join(', ')
  const found = [passed('chain', `${facts[0]!.subject}: ${chain}; all valid for ${days} more days`)]
  if (certificate.key) found.push(passed('key', `${files.key} matches the certificate`))
  else found.push(notChecked('key', 'this process does not use it'))
  return [...found, ...faults]
}

/** CAs of client certificates: of agents that join the master, and of clients of `listen`. */
export function checkClientCas(config: MasterConfig): CheckRow[] {
  const { passed, of } = rowsOf('certificate')
  const { listen, resource_manager } = config
  const files = { listen: listen?.client_ca, resource_manager: resource_manager.client_ca }
  return Object.entries(files).flatMap(([block, path]) => {
    if (path === undefined) return []
    const setting = `${block}.client_ca`
    try {
      readClientCa(path, config.locate(setting))
      return [passed(setting, path)]
    } catch (error) {
      return problemsOf(error).map((fault) => of(setting, fault))
    }
  })
}

function isAboutKey({ code, where }: Problem): boolean {
  return code.startsWith('TLS_KEY_') || where?.path === 'security.tls.key'
}

// Rows about the agents of one pool: their trust, their user data, the request for their VMs.

const topics = ['trust', 'user data', 'launch request'] as const
type Topic = (typeof topics)[number]

/** @param plan undefined when the certificate is refused */
export function checkAgents(subject: string, plan: PoolPlan | undefined): CheckRow[] {
  const { passed, notChecked, of } = rowsOf(subject)
  if (!plan) return topics.map((topic) => notChecked(topic, 'the certificate must be valid first'))
  // What only the cloud knows is in the rows about the cloud.
  const problems = plan.problems.filter(({ code }) => code !== 'REQUEST_UNKNOWN_OFFLINE')
  return topics.flatMap((topic) => {
    const mine = problems.filter((fault) => topicOf(fault) === topic)
    const faults = mine.map((fault) => of(topic, fault))
    if (mine.some(isError)) return faults
    const note = notes[topic](plan)
    const row = note === undefined ? notChecked(topic, 'fix what failed first') : passed(topic, note)
    return [row, ...faults]
  })
}

/** undefined if planning did not get that far. */
const notes: Record<Topic, (plan: PoolPlan) => string | undefined> = {
  trust({ setup }) {
    if (!setup) return undefined
    const { mode, modeReason, certificateName } = setup.trust
    const { join: joining } = setup
    const where = joinEndpointsOf(joining)
      .map(({ url }) => url)
      .join(' or ')
    return [
      `${mode}: ${modeReason}`,
      ...(certificateName ? [`the name ${certificateName}`] : []),
      ...(joining ? [`client certificates from ${where} by ${joining.proofs.join(', then ')}`] : []),
    ].join('; ')
  },
  'user data'({ userData, pool, problems }) {
    if (!userData) return undefined
    const { bytes, encoding } = userData
    const size = `${bytes.packed} bytes${bytes.limit === undefined ? '' : ` of ${bytes.limit}`}`
    const form = encoding === 'plain' ? '' : ` as ${encoding}`
    const allowed = pool.provider.allow_secrets_in_user_data
    if (allowed) return `${size}${form}; secrets in it are allowed`
    // The warning follows in a row of its own.
    const isClean = !problems.some(({ code }) => code === 'USER_DATA_PASSWORD')
    return `${size}${form}${isClean ? '; no key or token in it' : ''}`
  },
  'launch request'({ request }) {
    if (!request) return undefined
    const { call, region } = request
    return `${call}${region ? ` in ${region}` : ''}`
  },
}

function topicOf({ code }: Problem): Topic {
  if (code in codeGroups['User data'] || code === 'DETERMINED_COMMAND_AGENT') return 'user data'
  return code in codeGroups['Clouds and this machine'] ? 'launch request' : 'trust'
}

// Rows about the source of demand. Each source has its own checks; one without an entry is not checked.

export interface DemandCheckInput {
  config: MasterConfig
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
}

/** What is wrong, or a note about what was found. */
type DemandCheck = (input: DemandCheckInput) => Promise<{ note?: string; problems: Problem[] }>

const checks: Partial<Record<DemandConfig['type'], DemandCheck>> = {
  'built-in': async () => ({ note: 'the built-in master', problems: [] }),
  determined: checkDeterminedDemand,
}

export async function checkDemand(input: DemandCheckInput): Promise<CheckRow[]> {
  const { passed, notChecked, of } = rowsOf('demand')
  const { type } = input.config.demand
  const check = checks[type]
  if (!check) return [notChecked(type, 'this version has no check for it')]
  const { note, problems } = await check(input)
  const faults = problems.map((fault) => of(type, fault))
  return problems.some(({ severity }) => severity === 'error') ? faults : [passed(type, note), ...faults]
}

// Rows about the live master, dialled as agents of one pool would: can they join, and do the versions match?

const joining = 'preflight'
const versions = 'agent version'

export interface MasterCheckInput {
  clock: Clock
  /** The master is the built-in one of this configuration, which may not have been started yet. */
  isOurs: boolean
  /** Of the agents' CA, with which a pool that requires join proofs is checked. */
  certificate?: ProbeCertificate | undefined
}

/** @param plan undefined when the certificate is refused */
export async function checkMaster(
  subject: string,
  plan: PoolPlan | undefined,
  input: MasterCheckInput,
): Promise<CheckRow[]> {
  const { notChecked } = rowsOf(subject)
  const { rows, master } = await joinRows(subject, plan, input)
  if (master && plan?.setup) return [...rows, ...versionRows(subject, plan.setup, master)]
  return input.isOurs ? rows : [...rows, notChecked(versions, 'no master has reported its version')]
}

async function joinRows(
  subject: string,
  plan: PoolPlan | undefined,
  { clock, isOurs, certificate }: MasterCheckInput,
): Promise<{ rows: CheckRow[]; master?: MasterInfo }> {
  const { passed, notChecked, of } = rowsOf(subject)
  if (!plan?.setup) return { rows: [notChecked(joining, 'fix what failed first')] }
  const { pool, setup, hasClientCertificate } = plan
  const { preflight: mode } = pool.provider
  if (mode === 'off') return { rows: [notChecked(joining, 'the pool sets `preflight: off`')] }
  const result = await preflightPool({ pool, setup, hasClientCertificate }, clock, {
    certificate: setup.join && certificate,
  })
  const place = placeOf(result)
  const warnings = result.warnings.map((doubt) => of(joining, doubt))
  if (isOurs && result.problem?.code === 'PREFLIGHT_REFUSED')
    return {
      rows: [
        notChecked(
          joining,
          `the built-in master is not running (${place}); \`provision\` checks it when it runs`,
        ),
        ...warnings,
      ],
    }
  const { problem: fault } = applyPreflight(mode, result)
  if (fault) return { rows: [of(joining, fault), ...warnings] }
  const found = passed(joining, `agents would join at ${place} (${result.protocol ?? 'plain http'})`)
  return { rows: [found, ...warnings], master: result.master }
}

function placeOf({ dialled: { host, port } }: PreflightResult): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Determined's master and agents are released together; our masters work with agents of that release. */
function versionRows(subject: string, setup: AgentSetup, master: MasterInfo): CheckRow[] {
  const { passed, notChecked, of } = rowsOf(subject)
  const { image } = setup.docker
  if (master.product === productName || setup.runtime !== 'docker') return []
  const tag = versionIn(image)
  if (tag === undefined) return [notChecked(versions, `the name of ${image} has no version`)]
  if (tag === master.version) return [passed(versions, `${tag}, same as the master`)]
  const message = `the master has version ${master.version}, but agents would run ${image}`
  return [of(versions, problem('AGENT_VERSION_DIFFERS', message))]
}

/** The version in the tag, which a digest may follow: `registry:5000/name:0.38.1@sha256:…`. */
function versionIn(image: string): string | undefined {
  return /:v?(\d+\.\d+\.\d+[^@:/]*)(@[^@/]*)?$/.exec(image)?.[1]
}

// Rows about the cloud's answers for each thing that a launch of one pool needs.

/** Milliseconds for all checks of a pool; and how long after that a provider may take to report its results. */
const defaultBudgetMs = 60_000
const lastWordsMs = 5_000

export interface CloudCheckInput {
  config: MasterConfig
  identity: Identity
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
  providers: readonly AnyProvider[]
  /** Milliseconds for all checks of a pool: a minute by default. */
  budgetMs?: number
}

/** Reports what the cloud answered in time, and what it did not answer. */
export async function checkCloud(
  subject: string,
  pool: ProvidedPool,
  master: MasterAddress,
  input: CloudCheckInput,
): Promise<CheckRow[]> {
  const { passed, notChecked, of } = rowsOf(subject)
  const { type } = pool.provider
  const definition = definitionOf(input.providers, pool.provider)
  if (definition.onThisMachine) return [notChecked('cloud', 'instances are processes on this machine')]
  if (!definition.check) return [notChecked('cloud', `this version cannot check ${type} before a launch`)]
  const { budgetMs = defaultBudgetMs } = input
  const late = new ProvisionError(
    problem('PROVIDER_TRANSIENT', `${type} did not answer within ${budgetMs / 1000} s`, {
      remedy:
        'Run `provision check` again; if it fails again, check the network between this machine and the cloud.',
    }),
  )
  const budget = new AbortController()
  const timers: NodeJS.Timeout[] = []
  const after = (ms: number, act: () => void) => timers.push(setTimeout(act, ms))
  try {
    after(budgetMs, () => budget.abort(late))
    const offerings = definition.offerings(pool.provider)
    const silent = new Promise<never>((_, reject) => after(budgetMs + lastWordsMs, () => reject(late)))
    const checking = definition.check(contextOf(pool, master, input), offerings, budget.signal)
    const items = await Promise.race([checking, silent])
    return items.map(({ what, problem: fault, notChecked: why }) => {
      if (fault) return of(what, fault)
      return why === undefined ? passed(what) : notChecked(what, why)
    })
  } catch (error) {
    return problemsOf(error).map((fault) => of('cloud', fault))
  } finally {
    for (const timer of timers) clearTimeout(timer)
  }
}

function contextOf(
  pool: ProvidedPool,
  master: MasterAddress,
  { config, identity, env, clock, logger }: CloudCheckInput,
): ProviderContext {
  const { provider, pool_name } = pool
  return {
    config: provider,
    owner: ownerOf(identity, pool_name),
    master,
    stateDir: join(config.state_dir, provider.type, fileNameOf(pool_name)),
    env,
    clock,
    logger,
  }
}

function problemsOf(error: unknown): Problem[] {
  if (error instanceof ProvisionError) return error.problems
  const message = error instanceof Error ? error.message : String(error)
  return [problem('PROVIDER_TRANSIENT', message, { cause: error })]
}

// The row of `provision check` about a pool that requires join proofs: does its master demand them?

const proof = 'join proof'

interface JoinCheckInput {
  clock: Clock
  /** A certificate of the agents' CA for the id of the probe (`proofProbeId`), PEM; undefined: there is no CA yet. */
  certificate?: ProbeCertificate | undefined
  signal?: AbortSignal
}

/**
 * Dials each master three times. Call it for pools with `join: {proof: required}`.
 * @param plan undefined when the certificate is refused
 */
export async function checkJoinProof(
  subject: string,
  plan: PoolPlan | undefined,
  { clock, certificate, signal }: JoinCheckInput,
): Promise<CheckRow[]> {
  const { passed, notChecked, of } = rowsOf(subject)
  if (!plan?.setup) return [notChecked(proof, 'fix what failed first')]
  if (!certificate) return [notChecked(proof, "there is no agents' CA yet")]
  const { pool, setup } = plan
  const asked = { timeoutMs: dialTimeoutMs, clock, signal, joinProof: { pool: pool.pool_name, certificate } }
  const found: DemandFinding[] = await Promise.all(
    preflightAddresses(pool, setup).map((address) => probeDemand({ ...address, ...asked })),
  )
  const problems = found.flatMap((one) => one.problems)
  if (problems.length > 0) return problems.map((problem) => of(proof, problem))
  // Of several masters one serves; a standby shows nothing of what it would accept.
  const unknown = found.flatMap((one) => (one.unknown === undefined ? [] : [one.unknown]))
  if (unknown.length === found.length) return [notChecked(proof, unknown.join('; '))]
  return [passed(proof, "the master accepts certificates of the agents' CA only")]
}
