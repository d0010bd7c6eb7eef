// Everything the startup script of an agent VM is made from. Same setup, same bytes.
import type { AgentRuntime } from '../config/provider-config.ts'
import type { MasterAddress } from '../pki/master-address.ts'
import type { TrustPlan } from '../pki/trust-plan.ts'

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
