// master.yaml after parsing, defaults and cross-field rules. Keys are the file's own; paths are absolute; periods are milliseconds.
import type { TrustMode } from '../pki/trust-plan.ts'
import type { AwsConfig } from '../providers/aws/schema.ts'
import type { GcpConfig } from '../providers/gcp/schema.ts'

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

// The provider block of a pool after defaults. Keys are the file's own; periods are milliseconds.

/** What agents of this pool trust, and what may be asked of them. */
export interface TlsOptions {
  trust: 'auto' | TrustMode
  allow_ip_only: boolean
  /** Absolute path of the CA certificates to embed when `security.tls.cert` is not what agents will see. */
  ca_file?: string
}

/** What runs on a VM: the agent's image under Docker, or the agent as a process. */
export type AgentRuntime = 'docker' | 'process'

export type PreflightMode = 'required' | 'tls' | 'off'

/** One instance type to try; the order in the file is the order of preference. */
export interface InstanceTypeChoice {
  type: string
  slots?: number
}

export interface CommonProviderConfig {
  master_url: string
  master_cert_name: string
  startup_script: string
  container_startup_script: string
  agent_docker_network: string
  agent_docker_runtime: string
  agent_docker_image: string
  agent_fluent_image: string
  agent_reconnect_attempts: number
  /** Seconds. */
  agent_reconnect_backoff: number
  /** Parsed: an object, also when the file holds it as a YAML or JSON text. */
  agent_config_file_contents: Record<string, unknown>
  max_idle_agent_period: number
  max_agent_starting_period: number
  min_instances: number
  max_instances: number
  /** 0: launch errors never stick. */
  launch_error_timeout: number
  launch_error_retries: number
  tls: TlsOptions
  preflight: PreflightMode
  /** `host:port` that the preflight dials instead of the agents' address. */
  preflight_address?: string
  agent_runtime: AgentRuntime
  /** Absolute path of the user's own template. */
  agent_setup_template?: string
  allow_secrets_in_user_data: boolean
  boot_timeout: number
  /** Launches per hour. */
  launch_rate: number
  placement_grace: number
  poweroff_if_never_joined: boolean
}

/** VMs that are processes on this machine. */
export interface LocalConfig extends CommonProviderConfig {
  type: 'local'
  /** Slots each local agent shows; they are artificial. */
  slots: number
}

export type ProviderConfig = AwsConfig | GcpConfig | LocalConfig
export type ProviderKind = ProviderConfig['type']
export const providerKinds = ['aws', 'gcp', 'local'] as const satisfies ProviderKind[]
