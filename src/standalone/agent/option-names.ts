// The options that a flag or a DET_ variable can set, as the real agent has them (origin: agent/cmd/determined-agent).

export type OptionKind = 'text' | 'number' | 'flag'

/** By their path in agent.yaml. What is missing here can only be set in the file: hooks, client certificates. */
export const settableOptions = {
  config_file: 'text',
  'log.level': 'text',
  'log.color': 'flag',
  master_host: 'text',
  master_port: 'number',
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
