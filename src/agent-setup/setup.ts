// Everything the startup script of an agent VM is made from. Same setup, same bytes.
import type { AgentRuntime, ProviderConfig } from '../config/master-config.ts'
import type { MasterAddress, TrustPlan } from '../pki/trust-plan.ts'
import type { ProvidedPool } from './trust.ts'

export type Cloud = 'aws' | 'gcp' | 'local'
export type SlotType = 'cuda' | 'rocm' | 'cpu' | 'none' | 'auto'

/** agent.yaml as the agent reads it (origin: agent/internal/options). */
export type AgentConfig = Record<string, unknown>

/** Paths on the agent VM, below the root directory of a `local` VM. */
export const agentPaths = {
  config: '/etc/determined/agent.yaml',
  certificate: '/usr/local/determined/master.crt',
  startupScript: '/usr/local/determined/startup_script',
  containerStartupScript: '/usr/local/determined/container_startup_script',
} as const

export interface AgentSetup {
  cloud: Cloud
  poolName: string
  master: MasterAddress
  trust: TrustPlan
  /** The merged, validated configuration: what the user wrote plus what the trust plan demands. */
  agentConfig: AgentConfig
  slotType: SlotType
  runtime: AgentRuntime
  docker: {
    image: string
    network: string
    runtime: string
    /** Whole arguments, such as `--log-driver=awslogs`. */
    logOptions: string[]
  }
  /** The agent's command line when `runtime` is `process`. */
  command: string[]
  startupScript: string
  containerStartupScript: string
  reconnectAttempts: number
  reconnectBackoffSeconds: number
  bootTimeoutSeconds: number
  poweroffIfNeverJoined: boolean
}

// From a pool's configuration to what its agents' startup script is made from.

export interface AgentSetupInput {
  pool: ProvidedPool
  master: MasterAddress
  trust: TrustPlan
  agentConfig: AgentConfig
  /** The agent's command line where it runs as a process on this machine. */
  localAgent: string[]
}

export function agentSetupOf(input: AgentSetupInput): AgentSetup {
  const { provider } = input.pool
  const local = provider.type === 'local'
  return {
    cloud: provider.type,
    poolName: input.pool.pool_name,
    master: input.master,
    trust: input.trust,
    agentConfig: local ? { ...input.agentConfig, artificial_slots: provider.slots } : input.agentConfig,
    slotType: slotTypeOf(provider),
    runtime: provider.agent_runtime,
    docker: {
      image: provider.agent_docker_image,
      network: provider.agent_docker_network,
      runtime: provider.agent_docker_runtime,
      logOptions: logOptionsOf(provider),
    },
    command: local ? input.localAgent : ['determined-agent', 'run'],
    startupScript: provider.startup_script,
    containerStartupScript: provider.container_startup_script,
    reconnectAttempts: provider.agent_reconnect_attempts,
    reconnectBackoffSeconds: provider.agent_reconnect_backoff,
    bootTimeoutSeconds: Math.ceil(provider.boot_timeout / 1000),
    poweroffIfNeverJoined: provider.poweroff_if_never_joined,
  }
}

/** GPUs win; then one CPU slot where it is allowed; else an agent for auxiliary work only (origin: aws_config.go). */
function slotTypeOf(provider: ProviderConfig): SlotType {
  if (provider.type === 'local') return provider.slots > 0 ? 'auto' : 'none'
  if (provider.instance_types.some(({ slots }) => slots > 0)) return 'cuda'
  return provider.cpu_slots_allowed ? 'cpu' : 'none'
}

/** Docker's log arguments, as the origin passes them (origin: aws.go, gcp.go). */
function logOptionsOf(provider: ProviderConfig): string[] {
  if (provider.type === 'gcp') return provider.use_cloud_logging ? ['--log-driver=gcplogs'] : []
  if (provider.type !== 'aws' || !provider.log_group) return []
  const options = ['--log-driver=awslogs', `--log-opt=awslogs-group=${provider.log_group}`]
  if (provider.log_stream) options.push(`--log-opt=awslogs-stream=${provider.log_stream}`)
  return options
}
