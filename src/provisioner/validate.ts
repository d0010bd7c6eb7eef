// `provision validate`: everything that can be judged without a network, all of it at once, and what was not judged.
import { statSync } from 'node:fs'
import { loadConfig, type MasterConfig, type ReadableConfig } from '../config/index.ts'
import { caFilesOf, caInForce } from '../join/index.ts'
import { loadTlsCredentials, loadTrustAnchors } from '../pki/index.ts'
import { isError, type Problem, type ProblemCode, ProvisionError, problem } from '../problems/index.ts'
import { type AnyProvider, definitionOf } from '../providers/index.ts'
import { identityHere } from '../state/index.ts'
import { loadMasterCertificate } from './certificate.ts'
import { identityWarnings, peekIdentity } from './identity.ts'
import { readClientCa } from './listeners.ts'
import { certificateInput, isProvided, type PoolPlan, planPools } from './prepare.ts'

export interface ValidateOptions {
  /** DET_PORT, DET_SECURITY_TLS_CERT and DET_SECURITY_TLS_KEY override the file; no other variable is read. */
  env: Readonly<Record<string, string | undefined>>
  /** Milliseconds since the epoch. */
  now: number
  /** Every kind of provider there is. */
  providers: readonly AnyProvider[]
  /** Warnings count as errors. */
  strict?: boolean
  /** How a local instance starts its agent; default: with this program. */
  localAgent?: string[]
}

export interface Validation {
  /** No problem is an error. */
  valid: boolean
  /** undefined if the file itself has an error. */
  config?: MasterConfig
  /** Each once, those of the file first. */
  problems: Problem[]
  /** What was judged, such as `pool gpu: trust`. */
  checked: string[]
  notChecked: NotChecked[]
}

export interface NotChecked {
  what: string
  /** Why not, or what checks it. */
  why: string
}

const byCheck = 'provision check'

/**
 * Reads the file and the files that it names, and plans every pool. Uses no network and no credentials, and writes
 * nothing. Never throws because of a file. A key that this user may not read is listed in `notChecked`.
 */
export async function validateAll(file: string, options: ValidateOptions): Promise<Validation> {
  const { env, providers, now, strict = false, localAgent } = options
  const loaded = loadConfig(file, { env, providers })
  const problems = [...loaded.problems, ...(loaded.doubts ?? [])]
  const checked = loaded.doubts ? [file] : []
  const notChecked: NotChecked[] = []
  const readable: ReadableConfig | undefined = loaded.config
    ? { config: loaded.config, partlyRead: new Set(), unread: new Set() }
    : loaded.readable
  if (readable) {
    const { config } = readable
    const master = judgeCertificate(config, now)
    problems.push(...master.problems)
    const other = judgeFiles(config, now)
    problems.push(...other.problems)
    const authority = await judgeAuthority(config, env)
    problems.push(...authority.problems)
    const hasError = errorsIn(loaded.problems)
    // Of an id or a folder that could not be read, nothing is known.
    if (!['cluster_id', 'state_dir', 'demand'].some(hasError))
      problems.push(...(await identityFaults(config, providers)))
    const plans = await planReadable(readable, master, { now, providers, localAgent })
    problems.push(...plans.flatMap((plan) => judgedOf(plan, config)))
    checked.push(
      ...master.checked,
      ...other.checked,
      ...authority.checked,
      ...plans.flatMap((plan) => topicsOf(plan, readable)),
    )
    notChecked.push(...master.notChecked, ...other.notChecked, ...unplanned(readable, plans, master))
    notChecked.push(...online(config, plans, providers), ...plans.flatMap(laterOf))
  } else {
    notChecked.push({
      what: 'the certificate, and the pools',
      why: 'the file must be readable, and its `security` without an error',
    })
  }
  const judged = once(problems).map((found) => (strict ? { ...found, severity: 'error' as const } : found))
  return {
    valid: !judged.some(isError),
    ...(loaded.config && { config: loaded.config }),
    problems: judged,
    checked,
    notChecked,
  }
}

/** As far as they are known without a network. */
async function identityFaults(config: MasterConfig, providers: readonly AnyProvider[]): Promise<Problem[]> {
  const stored = identityHere(config)
  return stored ? identityWarnings({ config, stored, providers }) : []
}

/** Whether a top-level key of the file, or something below it, has an error. */
function errorsIn(problems: readonly Problem[]): (key: string) => boolean {
  const wrong = problems.filter(isError).map(({ where }) => where?.path?.split('.')[0])
  return (key) => wrong.includes(key)
}

/** A problem of several pools, such as one of the certificate, is reported once. */
export function once(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>()
  return problems.filter(({ code, message, where }) => {
    const text = [code, message, where?.file, where?.line, where?.column].join('\0')
    return seen.size < seen.add(text).size
  })
}

// The files that the configuration names.

interface Judged {
  problems: Problem[]
  checked: string[]
  notChecked: NotChecked[]
}

interface JudgedCertificate extends Judged {
  /** For the plans. */
  loaded: ReturnType<typeof loadMasterCertificate>
}

/** The chain, and its key where this user may read it. */
function judgeCertificate(config: MasterConfig, now: number): JudgedCertificate {
  const { tls } = config.security
  if (!tls) return { problems: [], checked: [], notChecked: [], loaded: { problems: [] } }
  const chain = `certificate ${tls.cert}`
  const full = loadMasterCertificate(config, { now, withKey: true })
  const unread = full.problems.find(isUnreadKey(config))
  // Without its key the certificate is judged as a dry run does.
  const loaded = unread ? loadMasterCertificate(config, { now, withKey: false }) : full
  const notChecked = unread ? [{ what: `key ${tls.key}`, why: unread.message }] : []
  if (!tls.key) notChecked.push({ what: 'the key of the certificate', why: 'security.tls.key is not set' })
  const isRead = (setting: string) =>
    !loaded.problems.some(({ code, where }) => code.startsWith('TLS_FILE_') && where?.path === setting)
  const checked = [
    ...(isRead('security.tls.cert') ? [chain] : []),
    ...(tls.key && !unread && isRead('security.tls.key') ? [`key ${tls.key}`] : []),
  ]
  return { loaded, problems: loaded.problems, checked, notChecked }
}

/** A key that only another user may read, or that another process uses and is not here, is no fault of the file. */
function isUnreadKey({ demand }: MasterConfig, setting = 'security.tls.key'): (found: Problem) => boolean {
  return ({ code, where, cause }) => {
    if (where?.path !== setting) return false
    const why = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'TLS_FILE_UNREADABLE') return why === 'EACCES' || why === 'EPERM'
    return code === 'TLS_FILE_MISSING' && setting === 'security.tls.key' && demand.type !== 'built-in'
  }
}

/** Those of `listen`, of client certificates, and of the source of demand. */
function judgeFiles(config: MasterConfig, now: number): Judged {
  const { listen, resource_manager, demand } = config
  const problems: Problem[] = []
  const checked: string[] = []
  const notChecked: NotChecked[] = []
  if (listen?.tls) {
    const { cert, key } = listen.tls
    const where = { cert: config.locate('listen.tls.cert'), key: config.locate('listen.tls.key') }
    const { problems: found } = loadTlsCredentials({ certFile: cert, keyFile: key }, { now, where })
    const isUnread = isUnreadKey(config, 'listen.tls.key')
    problems.push(...found.filter((one) => !isUnread(one)))
    checked.push(`certificate ${cert}`)
    notChecked.push(...found.filter(isUnread).map(({ message }) => ({ what: `key ${key}`, why: message })))
  }
  const authorities = { listen: listen?.client_ca, resource_manager: resource_manager.client_ca }
  for (const [block, path] of Object.entries(authorities)) {
    if (path === undefined) continue
    problems.push(...problemsOf(() => readClientCa(path, config.locate(`${block}.client_ca`))))
    checked.push(`client CAs ${path}`)
  }
  if (demand.ca_file !== undefined) {
    const where = config.locate('demand.ca_file')
    problems.push(...loadTrustAnchors(demand.ca_file, { now, where }).problems)
    checked.push(`CAs ${demand.ca_file}`)
  }
  for (const key of ['password_file', 'token_file'] as const) {
    const path = demand[key]
    if (path === undefined) continue
    if (statSync(path, { throwIfNoEntry: false }))
      notChecked.push({ what: `login ${path}`, why: `${byCheck} logs in with it` })
    else
      problems.push(
        problem('DETERMINED_LOGIN_FILE', `demand.${key}: file not found: ${path}`, {
          where: config.locate(`demand.${key}`),
        }),
      )
  }
  return { problems, checked, notChecked }
}

/** The CA of instances, where it is in files. */
async function judgeAuthority(
  config: MasterConfig,
  env: ValidateOptions['env'],
): Promise<Pick<Judged, 'problems' | 'checked'>> {
  const files = caFilesOf(config, env)
  if (!files) return { problems: [], checked: [] }
  const checked = [`agents' CA ${files.certificateFile}`]
  try {
    await caInForce(undefined, files)
    return { problems: [], checked }
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error
    const where = config.locate('agents_ca')
    return { problems: error.problems.map((found) => ({ ...found, where })), checked }
  }
}

function problemsOf(read: () => unknown): Problem[] {
  try {
    read()
    return []
  } catch (error) {
    if (error instanceof ProvisionError) return error.problems
    throw error
  }
}

// The pools.

async function planReadable(
  { config, partlyRead }: ReadableConfig,
  { loaded }: JudgedCertificate,
  options: Pick<ValidateOptions, 'now' | 'providers' | 'localAgent'>,
): Promise<PoolPlan[]> {
  const identity = await peekIdentity(config, identityHere(config))
  const pools = config.resource_pools.filter(isProvided)
  return planPools(pools, { config, ...certificateInput(loaded), partlyRead, identity, ...options })
}

/** Not faults: what is known only where the provisioner runs, or in the cloud. */
const knownLater: readonly ProblemCode[] = ['REQUEST_UNKNOWN_OFFLINE', 'MASTER_HOST_ALIAS']

function judgedOf({ pool, problems }: PoolPlan, { locate, resource_pools }: MasterConfig): Problem[] {
  const where = locate(`resource_pools.${resource_pools.indexOf(pool)}.provider`)
  return problems
    .filter(({ code }) => !knownLater.includes(code))
    .map((found) => ({ ...found, where: found.where ?? where }))
}

function laterOf({ pool, problems }: PoolPlan): NotChecked[] {
  const what = `pool ${pool.pool_name}`
  return problems
    .filter(({ code }) => knownLater.includes(code))
    .map(({ message }) => ({
      what,
      why: message.startsWith(`${what}: `) ? message.slice(what.length + 2) : message,
    }))
}

function topicsOf({ pool, setup }: PoolPlan, { partlyRead }: ReadableConfig): string[] {
  const topics = [
    ...(setup ? ['trust'] : []),
    'agent configuration',
    'user data',
    ...(partlyRead.has(pool) ? [] : ['launch request']),
  ]
  return [`pool ${pool.pool_name}: ${topics.join(', ')}`]
}

/** What an error elsewhere kept from being judged. */
function unplanned(
  { partlyRead, unread }: ReadableConfig,
  plans: PoolPlan[],
  { loaded }: JudgedCertificate,
): NotChecked[] {
  const why = 'its provider block has an error'
  const trustless = plans.filter(({ setup, problems }) => !setup && !problems.some(isError))
  return [
    ...(loaded.problems.some(isError) ? trustless : []).map(({ pool }) => ({
      what: `pool ${pool.pool_name}: trust`,
      why: 'the certificate has an error',
    })),
    ...[...partlyRead].map(({ pool_name }) => ({ what: `pool ${pool_name}: launch request`, why })),
    ...[...unread].map(({ pool_name }) => ({ what: `pool ${pool_name}`, why })),
  ]
}

/** What only the network can tell. */
function online(config: MasterConfig, plans: PoolPlan[], providers: readonly AnyProvider[]): NotChecked[] {
  const definitions = plans.map(({ pool }) => definitionOf(providers, pool.provider))
  const clouds = new Set(definitions.filter(({ check }) => check).map(({ name }) => name))
  const found = [...clouds].map((cloud) => ({
    what: `${cloud}: credentials, permissions, quotas, and whether images, networks and instance types exist`,
    why: byCheck,
  }))
  const elsewhere = plans.filter(({ onThisMachine }) => !onThisMachine)
  if (elsewhere.length > 0)
    found.push({ what: 'whether agents reach the master, and which certificate they get', why: byCheck })
  if (config.state.type === 'postgres')
    found.push({ what: 'the database of the state, and the identity in it', why: byCheck })
  if (config.demand.type === 'determined')
    found.push({ what: 'the Determined master: its address, login and version', why: byCheck })
  return found
}
