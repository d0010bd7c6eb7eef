// The options of an agent, merged from flags, variables, agent.yaml and defaults.

import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { blockAt, checkAgentOptions } from '../../agent-setup/index.ts'
import { readYaml } from '../../config/index.ts'
import type { MasterAddress } from '../../pki/index.ts'
import { nearest } from '../../platform/index.ts'
import { isError, type Problem, problem } from '../../problems/index.ts'

export type AgentSlotType = 'gpu' | 'cuda' | 'rocm' | 'cpu' | 'auto' | 'none'

export interface AgentTls {
  enabled: boolean
  skipVerify: boolean
  /** Path of the file with the only trusted certificates; '' for the well-known CAs. */
  masterCert: string
  /** '' for the dialled host. */
  masterCertName: string
  /** Paths; used only when both are set. */
  clientCert: string
  clientKey: string
}

export interface AgentOptions {
  /** Without brackets when it is an IPv6 address. */
  masterHost: string
  masterPort: number
  /** Tried in turn with the first when there are several masters, of which one serves. */
  otherMasters: readonly HostAndPort[]
  agentId: string
  resourcePool: string
  /** The master's address for tasks. */
  containerMasterHost: string
  containerMasterPort: number
  slotType: AgentSlotType
  /** In the form of `nvidia-smi --id`; '' for all. */
  visibleGpus: string
  /** If more than 0: number of artificial devices, which replace the real ones. */
  artificialSlots: number
  tls: AgentTls
  reconnectAttempts: number
  /** Seconds. */
  reconnectBackoff: number
  /** A command and its arguments; empty for none. */
  onConnectionLost: string[]
  /** For tasks. */
  proxies: { http: string; https: string; ftp: string; no: string }
  /** A logrus level: panic, fatal, error, warn, warning, info, debug, trace. */
  logLevel: string
}

export interface HostAndPort {
  /** Without brackets when it is an IPv6 address. */
  host: string
  port: number
}

/** The options with which each master is dialled: it is the first one there. Those of one are unchanged. */
export function optionsForEach(options: AgentOptions): readonly AgentOptions[] {
  const { masterHost, masterPort, otherMasters, containerMasterHost, containerMasterPort } = options
  const masters = [{ host: masterHost, port: masterPort }, ...otherMasters]
  return masters.map(({ host, port }, index) => ({
    ...options,
    masterHost: host,
    masterPort: port,
    otherMasters: masters.filter((_, other) => other !== index),
    // Tasks that are started by a master use that one, unless they have an address of their own.
    ...(containerMasterHost === masterHost && { containerMasterHost: host }),
    ...(containerMasterPort === masterPort && { containerMasterPort: port }),
  }))
}

export function masterOf({ masterHost, masterPort, tls }: AgentOptions): MasterAddress {
  return { scheme: tls.enabled ? 'https' : 'http', host: masterHost, port: masterPort }
}

// The options that a flag or a DET_ variable can set, as in the Determined agent (Determined: agent/cmd/determined-agent).

export type OptionKind = 'text' | 'number' | 'flag'

/** By path in agent.yaml. Other options can be set only in the file: hooks, client certificates. */
export const settableOptions = {
  config_file: 'text',
  'log.level': 'text',
  'log.color': 'flag',
  master_host: 'text',
  master_port: 'number',
  master_addresses: 'text',
  agent_id: 'text',
  resource_pool: 'text',
  container_master_host: 'text',
  container_master_port: 'number',
  slot_type: 'text',
  visible_gpus: 'text',
  'security.tls.enabled': 'flag',
  'security.tls.skip_verify': 'flag',
  'security.tls.master_cert': 'text',
  'security.tls.master_cert_name': 'text',
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
  container_runtime: 'text',
} as const satisfies Record<string, OptionKind>

export type SettableOption = keyof typeof settableOptions
export const settableNames = Object.keys(settableOptions) as SettableOption[]

/** `DET_SECURITY_TLS_ENABLED` */
export function variableOf(name: SettableOption): string {
  return `DET_${name.replaceAll('.', '_').toUpperCase()}`
}

/** `--security-tls-enabled` */
export function flagOf(name: SettableOption): string {
  return `--${name.replaceAll(/[._]/g, '-')}`
}

// Merges the agent's options. Precedence: flag, variable, agent.yaml, default.

type Block = Record<string, unknown>

export interface OptionSources {
  /** Arguments after the command's name. */
  argv: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  /** Read if it exists and no other file is named. */
  defaultFile?: string
}

const standardFile = '/etc/determined/agent.yaml'

/** Every problem at once; `options` only when none of them is an error. */
export function readAgentOptions({ argv, env, defaultFile = standardFile }: OptionSources): {
  options?: AgentOptions
  problems: Problem[]
} {
  const problems: Problem[] = []
  const flags = fromFlags(argv, problems)
  const variables = fromEnvironment(env, problems)
  const named = flags.config_file ?? variables.config_file
  const file = readFile(String(named ?? defaultFile), named !== undefined, problems)
  if (problems.some(isError)) return { problems }
  const merged = [file, nested(variables), nested(flags)].reduce(merge, {})
  // The file alone was valid: a problem found now comes from a flag or a variable.
  for (const { message, remedy } of checkAgentOptions(merged, true))
    problems.push(problem('AGENT_OPTION_INVALID', message, { remedy }))
  if (problems.some(isError)) return { problems }
  return toOptions(merged, env, hostname(), problems)
}

function readFile(path: string, named: boolean, problems: Problem[]): Block {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    // The default file is optional.
    if (!named && (cause as NodeJS.ErrnoException).code === 'ENOENT') return {}
    const why = (cause as Error).message
    problems.push(
      problem('AGENT_FILE_UNREADABLE', `the agent's configuration cannot be read: ${why}`, { cause }),
    )
    return {}
  }
  const yaml = readYaml(text, path)
  problems.push(...yaml.problems)
  if (yaml.value === undefined || yaml.value === null) return {}
  if (typeof yaml.value !== 'object' || Array.isArray(yaml.value)) {
    problems.push(
      problem('AGENT_FILE_UNREADABLE', `${path} does not contain a mapping of options`, {
        where: { file: path },
      }),
    )
    return {}
  }
  for (const { path: at, message, remedy } of checkAgentOptions(yaml.value as Block, true))
    problems.push(
      problem('AGENT_OPTION_INVALID', message, { remedy, where: yaml.locate(at.split('.'), 'key') }),
    )
  return yaml.value as Block
}

/** `security.tls.enabled` becomes a nested mapping. */
function nested(given: GivenOptions): Block {
  const blocks = Object.entries(given).map(([name, value]) =>
    name.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value),
  )
  return (blocks as Block[]).reduce(merge, {})
}

/** An empty key (`hooks:` without a value) counts as not set. */
function merge(under: Block, over: Block): Block {
  const merged = { ...under }
  for (const [key, value] of Object.entries(over)) {
    if (value === null || value === undefined) continue
    merged[key] = isBlock(value) && isBlock(merged[key]) ? merge(merged[key], value) : value
  }
  return merged
}

function isBlock(value: unknown): value is Block {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// Flags and variables: strings converted to the values agent.yaml would have.

export type OptionValue = string | number | boolean
export type GivenOptions = Partial<Record<SettableOption, OptionValue>>

/** Values that Go's strconv.ParseBool accepts. */
const booleans: Record<string, boolean> = {
  ...Object.fromEntries(['1', 't', 'T', 'true', 'TRUE', 'True'].map((word) => [word, true])),
  ...Object.fromEntries(['0', 'f', 'F', 'false', 'FALSE', 'False'].map((word) => [word, false])),
}

/** DET_ variables. An empty one counts as not set, as in the Determined agent. */
export function fromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  problems: Problem[],
): GivenOptions {
  const given: GivenOptions = {}
  for (const name of settableNames) {
    const text = env[variableOf(name)]
    if (text) set(given, name, text, variableOf(name), problems)
  }
  return given
}

/** `--name value`, `--name=value`, and `--name` alone for a boolean. */
export function fromFlags(argv: readonly string[], problems: Problem[]): GivenOptions {
  const given: GivenOptions = {}
  for (const [flag, text] of flagsIn(argv)) {
    const name = byFlag.get(flag)
    if (!name) problems.push(unknownFlag(flag))
    else if (text !== undefined) set(given, name, text, flag, problems)
    else problems.push(problem('AGENT_OPTION_INVALID', `\`${flag}\` has no value`))
  }
  return given
}

const byFlag = new Map(settableNames.map((name) => [flagOf(name), name]))

/** Each flag with its value: after `=`, else the next argument. A boolean accepts only `=`. */
function flagsIn(argv: readonly string[]): [flag: string, text: string | undefined][] {
  const found: [string, string | undefined][] = []
  for (let i = 0; i < argv.length; i++) {
    const [, flag = '', inline] = /^([^=]*)(?:=(.*))?$/s.exec(argv[i]!) ?? []
    const name = byFlag.get(flag)
    if (inline !== undefined) found.push([flag, inline])
    else if (name && settableOptions[name] === 'flag') found.push([flag, 'true'])
    // The argument after an unknown flag is probably its value, and not another error.
    else if (name || (flag.startsWith('--') && argv[i + 1]?.startsWith('--') === false))
      found.push([flag, argv[++i]])
    else found.push([flag, undefined])
  }
  return found
}

function unknownFlag(flag: string): Problem {
  const meant = nearest(flag, [...byFlag.keys()])
  const remedy = meant && `Did you mean \`${meant}\`?`
  return problem('AGENT_OPTION_INVALID', `\`${flag}\` is not an option of the agent`, { remedy })
}

function set(
  given: GivenOptions,
  name: SettableOption,
  text: string,
  source: string,
  problems: Problem[],
): void {
  const value = read(text, settableOptions[name])
  if (value !== undefined) given[name] = value
  else
    problems.push(
      problem(
        'AGENT_OPTION_INVALID',
        `${source} must be ${wanted[settableOptions[name]]}, not ${JSON.stringify(text)}`,
      ),
    )
}

const wanted = { text: 'a string', number: 'an integer', flag: 'true or false' }

function read(text: string, kind: 'text' | 'number' | 'flag'): OptionValue | undefined {
  if (kind === 'text') return text
  if (kind === 'flag') return booleans[text]
  return /^[+-]?\d{1,9}$/.test(text) ? Number(text) : undefined
}

// Applies the defaults to the merged options, and the rules that need all of them.

/** The defaults of Determined's agent (agent/internal/options, aproto/net.go). */
const defaults = { attempts: 5, backoff: 5, logLevel: 'trace' }

export function toOptions(
  merged: Block,
  env: Readonly<Record<string, string | undefined>>,
  hostname: string,
  problems: Problem[],
): { options?: AgentOptions; problems: Problem[] } {
  const tls = blockAt(merged, 'security', 'tls')
  const enabled = tls['enabled'] === true
  const standardPort = number(merged['master_port']) || (enabled ? 443 : 80)
  const several = addressesIn(text(merged['master_addresses']), standardPort, problems)
  const [
    first = { host: withoutBrackets(text(merged['master_host'])), port: standardPort },
    ...otherMasters
  ] = several
  const { host: masterHost, port: masterPort } = first
  const options: AgentOptions = {
    masterHost,
    masterPort,
    otherMasters,
    agentId: text(merged['agent_id']) || hostname,
    resourcePool: text(merged['resource_pool']) || 'default',
    containerMasterHost: text(merged['container_master_host']) || masterHost,
    containerMasterPort: number(merged['container_master_port']) || masterPort,
    slotType: (text(merged['slot_type']) || 'auto') as AgentSlotType,
    visibleGpus: text(merged['visible_gpus'] ?? env['ROCR_VISIBLE_DEVICES'] ?? env['CUDA_VISIBLE_DEVICES']),
    artificialSlots: number(merged['artificial_slots']),
    tls: {
      enabled,
      skipVerify: tls['skip_verify'] === true,
      masterCert: text(tls['master_cert']),
      masterCertName: text(tls['master_cert_name']),
      clientCert: text(tls['client_cert']),
      clientKey: text(tls['client_key']),
    },
    reconnectAttempts: number(merged['agent_reconnect_attempts'], defaults.attempts),
    reconnectBackoff: number(merged['agent_reconnect_backoff'], defaults.backoff),
    onConnectionLost: (blockAt(merged, 'hooks')['on_connection_lost'] as string[] | undefined) ?? [],
    proxies: {
      http: text(merged['http_proxy']),
      https: text(merged['https_proxy']),
      ftp: text(merged['ftp_proxy']),
      no: text(merged['no_proxy']),
    },
    logLevel: merged['debug'] === true ? 'debug' : text(blockAt(merged, 'log')['level']) || defaults.logLevel,
  }
  problems.push(...faults(options, merged))
  return problems.some(isError) ? { problems } : { options, problems }
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

/** `host:port` with commas between, IPv6 in brackets; a missing port is the standard one. Notes what is not of that form. */
function addressesIn(list: string, standardPort: number, problems: Problem[]): HostAndPort[] {
  const written = list.split(',').map((one) => one.trim())
  return written.filter(Boolean).flatMap((one) => {
    const [, host, digits] = /^(\[[^\]\s]+\]|[^\s:[\]/@]+)(?::(\d{1,5}))?$/.exec(one) ?? []
    const port = digits === undefined ? standardPort : Number(digits)
    if (host !== undefined && port > 0 && port <= 65_535) return [{ host: withoutBrackets(host), port }]
    const message = `\`master_addresses\` must be host:port with commas between, not ${JSON.stringify(one)}`
    const remedy = 'Write it as "master-a.example.com:8443,[fd00::5]:8443".'
    problems.push(problem('AGENT_OPTION_INVALID', message, { remedy }))
    return []
  })
}

function faults(options: AgentOptions, merged: Block): Problem[] {
  const found: Problem[] = []
  const against = (message: string, remedy?: string) =>
    found.push(problem('AGENT_OPTION_INVALID', message, { remedy }))
  if (!options.masterHost && !text(merged['master_addresses']))
    against('`master_host` is missing', 'Set it, or DET_MASTER_HOST, to the host of the master.')
  // 0 counts as not set, as in Go.
  for (const key of ['master_port', 'container_master_port'])
    if (number(merged[key]) < 0 || number(merged[key]) > 65_535)
      against(`\`${key}\` must be a port from 1 to 65535, not ${merged[key]}`)
  for (const key of ['artificial_slots', 'agent_reconnect_attempts', 'agent_reconnect_backoff'])
    if (number(merged[key]) < 0) against(`\`${key}\` must not be negative, but is ${merged[key]}`)
  if (merged['api_enabled'] === true)
    found.push(problem('AGENT_OPTION_UNUSED', '`api_enabled` is set, but this agent has no API of its own'))
  return found
}

function text(value: unknown): string {
  return value === undefined || value === null ? '' : String(value)
}

function number(value: unknown, otherwise = 0): number {
  return typeof value === 'number' ? value : otherwise
}
