// master.yaml after parsing, defaults and cross-field rules. Keys are the file's own; paths are absolute; periods are milliseconds.
import type { ProviderConfig } from './provider-config.ts'

export interface PoolConfig {
  pool_name: string
  description: string
  max_aux_containers_per_agent: number
  agent_reconnect_wait: number
  /** undefined: agents of this pool are not ours to launch. */
  provider?: ProviderConfig
}

export interface TlsFiles {
  cert: string
  key?: string
}

export interface DemandConfig {
  type: 'built-in' | 'determined' | 'push'
  /** Where a Determined master is dialled; undefined: this file's own master. */
  url?: string
  user?: string
  password_file?: string
  token_file?: string
  /** CA certificates of whoever ends TLS there, in place of `security.tls.cert`. */
  ca_file?: string
  /** The name to verify; undefined: as for agents. */
  master_cert_name?: string
  placeholder_agent: boolean
}

export interface ListenConfig {
  address: string
  port: number
  tls?: TlsFiles
  /** CA certificates of clients that need no token. */
  client_ca?: string
}

export interface MasterConfig {
  /** Path of the file as the user gave it. */
  file: string
  /** The master's port: the file's, else 8443 with TLS and 8080 without. */
  port: number
  security: { tls?: TlsFiles }
  cluster_id?: string
  cluster_name: string
  state_dir: string
  listen?: ListenConfig
  demand: DemandConfig
  /** Dollars an hour by instance type. */
  prices: Record<string, number>
  resource_manager: {
    require_authentication: boolean
    client_ca?: string
    default_aux_resource_pool: string
    default_compute_resource_pool: string
  }
  resource_pools: PoolConfig[]
}
