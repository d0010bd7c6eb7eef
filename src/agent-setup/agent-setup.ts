// From a pool's configuration to what its agents' startup script is made from.

import type { ProviderConfig } from '../config/provider-config.ts'
import type { MasterAddress } from '../pki/master-address.ts'
import type { TrustPlan } from '../pki/trust-plan.ts'
import type { ProvidedPool } from './pool-trust.ts'
import type { AgentConfig, AgentSetup, SlotType } from './setup.ts'

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
