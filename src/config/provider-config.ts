// The provider block of a pool after defaults. Keys are the file's own; periods are milliseconds.
import type { TrustMode } from '../pki/trust-plan.ts'
import type { AwsConfig } from '../providers/aws/aws-config.ts'
import type { GcpConfig } from '../providers/gcp/gcp-config.ts'

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
