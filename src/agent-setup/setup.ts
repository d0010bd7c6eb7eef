// Everything the startup script of an agent VM is made from. Same setup, same bytes.
import type { AgentRuntime } from '../config/index.ts'
import type { MasterAddress, TrustPlan } from '../pki/index.ts'
import type { ProvidedPool } from './trust.ts'

export type SlotType = 'cuda' | 'rocm' | 'cpu' | 'none' | 'auto'

/** The kind of machine an agent's script runs on, as its provider tells it. */
export interface Machine {
  /** `type` of its providers: a template asks for it as `cloud.KIND`. */
  kind: string
  /** What it means when `cloud.KIND` is so, such as `the VM is on EC2`. */
  meaning: string
  /** The part of the script that only such machines have. Without it a script is the same as on any other. */
  partial?: MachinePartial
  userData: UserDataRule
}

/** A partial of templates, by the kind of the machine: `{{> KIND}}`. */
export interface MachinePartial {
  /**
   * Where the built-in template has it: `first`, before anything is done; `agent`, before the agent is started. What
   * comes after `agent` needs `DET_AGENT_ID`, the id of the VM in the cloud's words, to be exported.
   */
  at: 'first' | 'agent'
  /** Handlebars, checked as a user's template is and compiled when a script is rendered; or what was compiled ahead of time. */
  template: string | { compiled: unknown }
}

/** What a cloud takes as user data. */
export interface UserDataRule {
  /** Bytes, before any base64 its API wants; undefined: as many as one likes. */
  limit?: number
  /**
   * What becomes of a script over the limit: `gzip` where the machine unpacks it by itself, as cloud-init does;
   * `gzip-stub`, a script that unpacks the rest; `error` where it cannot be had.
   */
  overflow: 'gzip' | 'gzip-stub' | 'error'
}

/** agent.yaml as the agent reads it (Determined: agent/internal/options). */
export type AgentConfig = Record<string, unknown>

/** Paths on the agent VM, below the root directory of a `local` VM. */
export const agentPaths = {
  config: '/etc/determined/agent.yaml',
  certificate: '/usr/local/determined/master.crt',
  startupScript: '/usr/local/determined/startup_script',
  containerStartupScript: '/usr/local/determined/container_startup_script',
} as const

export interface AgentSetup {
  machine: Machine
  /** Every kind there is: a template may ask for any of them. */
  machines: readonly Machine[]
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

/** `agent_setup_template`: the user's own template, which replaces the built-in one. */
export interface UserTemplate {
  /** Path of the file, for messages. */
  name: string
  text: string
}

/** What a provider knows of the agents on its machines. */
export interface AgentFacts {
  slotType: SlotType
  /** Whole arguments of `docker run`, such as `--log-driver=awslogs`. */
  dockerLogOptions?: string[]
  /** The agent's command line where it is a process. */
  command?: string[]
  /** Slots that stand for no device. */
  artificialSlots?: number
}

export interface AgentSetupInput {
  pool: ProvidedPool
  master: MasterAddress
  trust: TrustPlan
  agentConfig: AgentConfig
  machine: Machine
  machines: readonly Machine[]
  facts: AgentFacts
}

export function agentSetupOf(input: AgentSetupInput): AgentSetup {
  const { provider } = input.pool
  const { slotType, dockerLogOptions = [], command, artificialSlots } = input.facts
  return {
    machine: input.machine,
    machines: input.machines,
    poolName: input.pool.pool_name,
    master: input.master,
    trust: input.trust,
    agentConfig:
      artificialSlots === undefined
        ? input.agentConfig
        : { ...input.agentConfig, artificial_slots: artificialSlots },
    slotType,
    runtime: provider.agent_runtime,
    docker: {
      image: provider.agent_docker_image,
      network: provider.agent_docker_network,
      runtime: provider.agent_docker_runtime,
      logOptions: dockerLogOptions,
    },
    command: command ?? ['determined-agent', 'run'],
    startupScript: provider.startup_script,
    containerStartupScript: provider.container_startup_script,
    reconnectAttempts: provider.agent_reconnect_attempts,
    reconnectBackoffSeconds: provider.agent_reconnect_backoff,
    bootTimeoutSeconds: Math.ceil(provider.boot_timeout / 1000),
    poweroffIfNeverJoined: provider.poweroff_if_never_joined,
  }
}
