// What an agent accepts in agent.yaml, and what makes it refuse to start (origin: agent/internal/options/options.go).
import { nearest } from '../platform/nearest.ts'

/** The value of an option: a kind, the only words it takes, or a block of further options. */
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
      // Another word ends the agent in a panic (logrus.ParseLevel).
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

/** Every reason for which an agent would not start with this file. */
export function checkAgentOptions(config: Record<string, unknown>): OptionFault[] {
  return [...checkBlock(config, options, ''), ...checkTogether(config)]
}

function checkBlock(block: Record<string, unknown>, known: Options, prefix: string): OptionFault[] {
  return Object.entries(block).flatMap(([key, value]) => {
    const path = prefix + key
    const option = Object.hasOwn(known, key) ? known[key] : undefined
    if (option) return checkValue(value, option, path)
    const meant = nearest(key, Object.keys(known))
    const remedy = meant ? `Did you mean \`${prefix}${meant}\`?` : 'Remove it.'
    return [{ path, message: `\`${path}\` is no option of the agent, which refuses unknown ones`, remedy }]
  })
}

function checkValue(value: unknown, option: Option, path: string): OptionFault[] {
  // An empty key is no setting.
  if (value === null || value === undefined) return []
  if (typeof option === 'object' && 'block' in option)
    return isBlock(value)
      ? checkBlock(value, option.block, `${path}.`)
      : [notA(path, 'a block of options', value)]
  if (typeof option === 'object')
    return option.includes(String(value)) ? [] : [notA(path, `one of ${option.join(', ')}`, value)]
  switch (option) {
    case 'text':
      // YAML reads `visible_gpus: 0` as a number; the agent takes it as the text it is.
      return ['string', 'number'].includes(typeof value) ? [] : [notA(path, 'a text', value)]
    case 'number':
      return Number.isInteger(value) ? [] : [notA(path, 'a whole number', value)]
    case 'flag':
      return typeof value === 'boolean' ? [] : [notA(path, 'true or false', value)]
    case 'texts':
      return Array.isArray(value) && value.every((item) => typeof item === 'string')
        ? []
        : [notA(path, 'a list of texts', value)]
  }
}

function checkTogether(config: Record<string, unknown>): OptionFault[] {
  const faults: OptionFault[] = []
  const trust = blockAt(config, 'security', 'tls')
  if (trust['master_cert'] && trust['skip_verify'] === true)
    faults.push({
      path: 'security.tls.skip_verify',
      message: '`security.tls.master_cert` and `security.tls.skip_verify` exclude each other',
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
  // Values can be secrets (a proxy's password); their type says enough.
  const kind = Array.isArray(value) ? 'a list' : isBlock(value) ? 'a block' : `a ${typeof value}`
  return { path, message: `\`${path}\` must be ${wanted}, not ${kind}` }
}
