// The agent's configuration on the VM: the user's settings, and those of the trust plan.
import type { TrustMode, TrustPlan } from '../pki/index.ts'
import { nearest } from '../platform/index.ts'
import { type Problem, problem, type Where } from '../problems/index.ts'
import { type AgentConfig, agentPaths } from './setup.ts'

export interface MergeOptions {
  /** Where the user's settings are, or one of them. */
  locate?: (setting?: string) => Where
  /** The master accepts only agents with a client certificate (`require_authentication`). */
  requireAuthentication?: boolean
  /** The agents get client certificates of the provisioner (`join`). */
  joins?: boolean
}

export interface MergedAgentConfig {
  config: AgentConfig
  problems: Problem[]
  /** Paths on the agent, when it presents a client certificate. */
  clientCertificate?: { cert: string; key: string }
}

type Tls = Record<string, unknown>

const key = 'agent_config_file_contents'

/** Options that the startup script sets in the environment, which overrides agent.yaml, with their source. */
const setByScript: Record<string, string> = {
  master_host: 'master_url',
  master_port: 'master_url',
  agent_id: 'the id of the instance',
  resource_pool: 'pool_name',
  slot_type: "the instance type's slots and cpu_slots_allowed",
  agent_reconnect_attempts: 'agent_reconnect_attempts of the pool',
  agent_reconnect_backoff: 'agent_reconnect_backoff of the pool',
  config_file: 'the startup script',
}

/**
 * Never throws: keeps the user's settings as far as possible and reports all faults as problems. Without a plan only the
 * user's own settings are judged.
 */
export function mergeAgentConfig(
  user: Record<string, unknown>,
  plan: TrustPlan | undefined,
  { locate, requireAuthentication = false, joins = false }: MergeOptions = {},
): MergedAgentConfig {
  const where = locate?.()
  const own = blockAt(user, 'security', 'tls')
  const tls = { ...own, ...(plan && demandedBy(plan)), ...(joins && ofJoin) }
  const config = { ...user, security: { ...blockAt(user, 'security'), tls } }
  const problems = [
    ...[...(plan ? conflicts(own, plan) : []), ...(joins ? joinConflicts(own) : [])].map((message) =>
      problem('AGENT_CONFIG_CONFLICT', message, { where }),
    ),
    // Checks the user's settings, not the merged ones: the plan's settings would hide their faults.
    ...checkAgentOptions(user).map(({ message, remedy, path }) =>
      problem('AGENT_CONFIG_INVALID', `${key}: ${message}`, {
        remedy,
        where: locate?.(path),
        details: { path },
      }),
    ),
    ...withoutEffect(user).map(({ message, path }) =>
      problem('AGENT_CONFIG_NO_EFFECT', message, { where: locate?.(path) }),
    ),
  ]
  const userAnchors = text(own['master_cert'])
  if (plan?.mode === 'system' && userAnchors)
    problems.push(
      problem('AGENT_CONFIG_UNVERIFIED', `agents trust ${userAnchors} on their own disk (${key})`, { where }),
    )
  const clientCertificate = clientCertificateOf(joins ? ofJoin : own)
  if (requireAuthentication && plan && plan.mode !== 'off' && !clientCertificate)
    problems.push(
      problem('CLIENT_CERT_REQUIRED', `require_authentication is on and ${key} has no client certificate`, {
        where,
      }),
    )
  return { config, problems, clientCertificate }
}

function demandedBy(plan: TrustPlan): Tls {
  if (plan.mode === 'off') return { enabled: false }
  return {
    enabled: true,
    ...(plan.mode === 'embed' && { master_cert: agentPaths.certificate }),
    ...(plan.mode === 'skip_verify' && { skip_verify: true }),
    ...(plan.certificateName && { master_cert_name: plan.certificateName }),
  }
}

/** The user's settings that the trust plan overrides, to report them. */
function conflicts(own: Tls, plan: TrustPlan): string[] {
  const found: string[] = []
  const against = (setting: string, reason: string) =>
    found.push(`${key} sets \`security.tls.${setting}\`, but ${reason}`)
  const mode = `trust mode is ${plan.mode} (${plan.modeReason})`
  const wanted: Record<TrustMode, Tls> = {
    embed: { enabled: true, skip_verify: false },
    system: { enabled: true, skip_verify: false },
    skip_verify: { enabled: true, skip_verify: true },
    off: { enabled: false },
  }
  for (const [setting, value] of Object.entries(wanted[plan.mode]))
    if (typeof own[setting] === 'boolean' && own[setting] !== value)
      against(`${setting}: ${own[setting]}`, mode)

  const anchors = text(own['master_cert'])
  if (anchors && plan.mode === 'embed' && anchors !== agentPaths.certificate)
    against(`master_cert: ${anchors}`, `${mode} and agents get the chain at ${agentPaths.certificate}`)
  if (anchors && plan.mode === 'skip_verify')
    against(`master_cert: ${anchors}`, `${mode}; agents do not accept both`)

  const name = text(own['master_cert_name'])
  const verified = plan.certificateName ?? 'the dialled host'
  if (name && plan.mode !== 'off' && name.toLowerCase() !== verified.toLowerCase())
    against(`master_cert_name: ${name}`, `the name to verify is ${verified} (${plan.certificateNameReason})`)
  return found
}

/** With `join` the files of the startup script. */
const ofJoin: Tls = {
  client_cert: `${agentPaths.join}/agent.crt`,
  client_key: `${agentPaths.join}/agent.key`,
}

function joinConflicts(own: Tls): string[] {
  return Object.entries(ofJoin)
    .filter(([setting, path]) => isSet(own[setting]) && own[setting] !== path)
    .map(([setting, path]) => `${key} sets \`security.tls.${setting}\`, but with \`join\` it is ${path}`)
}

function withoutEffect(user: Record<string, unknown>): OptionFault[] {
  const overruled = Object.entries(setByScript)
    .filter(([setting]) => isSet(user[setting]))
    .map(([path, source]) => ({
      path,
      message: `\`${path}\` in ${key} has no effect: ${source} overrides it`,
    }))
  if (!isSet(user['fluent'])) return overruled
  const message = `\`fluent\` in ${key} has no effect: agents send logs themselves since 0.24.1`
  return [...overruled, { path: 'fluent', message }]
}

function clientCertificateOf(own: Tls): MergedAgentConfig['clientCertificate'] {
  const cert = text(own['client_cert'])
  const privateKey = text(own['client_key'])
  return cert && privateKey ? { cert, key: privateKey } : undefined
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}

// The options an agent accepts in agent.yaml, and the faults that prevent its start (Determined: agent/internal/options/options.go).

/** The value of an option: a kind, the strings it accepts, or a block of options. */
type Option = 'text' | 'number' | 'flag' | 'texts' | readonly string[] | { block: Options }
type Options = { [key: string]: Option }

const tls: Options = {
  enabled: 'flag',
  skip_verify: 'flag',
  master_cert: 'text',
  master_cert_name: 'text',
  client_cert: 'text',
  client_key: 'text',
}

const options: Options = {
  config_file: 'text',
  log: {
    block: {
      // The agent panics on any other string (logrus.ParseLevel).
      level: ['panic', 'fatal', 'error', 'warn', 'warning', 'info', 'debug', 'trace'],
      color: 'flag',
    },
  },
  master_host: 'text',
  master_port: 'number',
  agent_id: 'text',
  resource_pool: 'text',
  container_master_host: 'text',
  container_master_port: 'number',
  slot_type: ['gpu', 'cuda', 'rocm', 'cpu', 'auto', 'none'],
  visible_gpus: 'text',
  security: { block: { tls: { block: tls } } },
  debug: 'flag',
  artificial_slots: 'number',
  tls: 'flag',
  tls_cert: 'text',
  tls_key: 'text',
  api_enabled: 'flag',
  bind_ip: 'text',
  bind_port: 'number',
  http_proxy: 'text',
  https_proxy: 'text',
  ftp_proxy: 'text',
  no_proxy: 'text',
  agent_reconnect_attempts: 'number',
  agent_reconnect_backoff: 'number',
  container_runtime: ['docker'],
  container_auto_remove_disabled: 'flag',
  hooks: { block: { on_connection_lost: 'texts' } },
  fluent: { block: { image: 'text', port: 'number', container_name: 'text' } },
}

export interface OptionFault {
  /** Such as `security.tls.enabled`. */
  path: string
  message: string
  remedy?: string
}

/** Options of the built-in agent that Determined's does not have. */
const builtInOptions: Options = { ...options, master_addresses: 'text' }

/** Every reason for which an agent would not start with this file. `isBuiltIn`: it is that of this program. */
export function checkAgentOptions(config: Record<string, unknown>, isBuiltIn = false): OptionFault[] {
  return [...checkBlock(config, isBuiltIn ? builtInOptions : options, ''), ...checkTogether(config)]
}

function checkBlock(block: Record<string, unknown>, known: Options, prefix: string): OptionFault[] {
  return Object.entries(block).flatMap(([key, value]) => {
    const path = prefix + key
    const option = Object.hasOwn(known, key) ? known[key] : undefined
    if (option) return checkValue(value, option, path)
    const meant = nearest(key, Object.keys(known))
    const remedy = meant ? `Did you mean \`${prefix}${meant}\`?` : 'Remove it.'
    return [
      { path, message: `\`${path}\` is not an option of the agent, which rejects unknown options`, remedy },
    ]
  })
}

function checkValue(value: unknown, option: Option, path: string): OptionFault[] {
  // A key without a value is not a setting.
  if (value === null || value === undefined) return []
  if (typeof option === 'object' && 'block' in option)
    return isBlock(value)
      ? checkBlock(value, option.block, `${path}.`)
      : [notA(path, 'a block of options', value)]
  if (typeof option === 'object')
    return option.includes(String(value)) ? [] : [notA(path, `one of ${option.join(', ')}`, value)]
  switch (option) {
    case 'text':
      // YAML reads `visible_gpus: 0` as a number; the agent accepts it as a string.
      return ['string', 'number'].includes(typeof value) ? [] : [notA(path, 'a string', value)]
    case 'number':
      return Number.isInteger(value) ? [] : [notA(path, 'an integer', value)]
    case 'flag':
      return typeof value === 'boolean' ? [] : [notA(path, 'true or false', value)]
    case 'texts':
      return Array.isArray(value) && value.every((item) => typeof item === 'string')
        ? []
        : [notA(path, 'a list of strings', value)]
  }
}

function checkTogether(config: Record<string, unknown>): OptionFault[] {
  const faults: OptionFault[] = []
  const trust = blockAt(config, 'security', 'tls')
  if (trust['master_cert'] && trust['skip_verify'] === true)
    faults.push({
      path: 'security.tls.skip_verify',
      message: '`security.tls.master_cert` and `security.tls.skip_verify` cannot be combined',
      remedy: 'Keep one of them.',
    })
  const [have, lack] = trust['client_cert'] ? ['client_cert', 'client_key'] : ['client_key', 'client_cert']
  if (trust[have!] && !trust[lack!])
    faults.push({
      path: `security.tls.${lack}`,
      message: `\`security.tls.${have}\` without \`${lack}\`: the agent would silently use no client certificate`,
      remedy: `Set \`security.tls.${lack}\` too.`,
    })
  if (config['tls'] === true && config['api_enabled'] === true)
    for (const key of ['tls_cert', 'tls_key'].filter((key) => !config[key]))
      faults.push({
        path: key,
        message: `\`${key}\` is missing for the agent's own API (\`tls\`, \`api_enabled\`)`,
      })
  return faults
}

/** The block at a path, or an empty one. */
export function blockAt(config: Record<string, unknown>, ...path: string[]): Record<string, unknown> {
  let block = config
  for (const key of path) {
    const inner = Object.hasOwn(block, key) ? block[key] : undefined
    block = isBlock(inner) ? inner : {}
  }
  return block
}

function isBlock(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function notA(path: string, wanted: string, value: unknown): OptionFault {
  // Values can be secrets (a proxy's password), so only their type is reported.
  const kind = Array.isArray(value) ? 'a list' : isBlock(value) ? 'a block' : `a ${typeof value}`
  return { path, message: `\`${path}\` must be ${wanted}, not ${kind}` }
}
