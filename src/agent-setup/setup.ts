// The input of an agent's startup script. The same setup always gives the same bytes.
import type { AgentRuntime } from '../config/index.ts'
import type { MasterAddress, TrustPlan } from '../pki/index.ts'
import type { JoinSetup } from './join.ts'
import type { ProvidedPool } from './trust.ts'

export type SlotType = 'cuda' | 'rocm' | 'cpu' | 'none' | 'auto'

/** The kind of machine an agent's script runs on, as described by its provider. */
export interface Machine {
  /** `type` of its providers; templates test it as `cloud.KIND`. */
  kind: string
  /** The meaning of `cloud.KIND`, such as `the instance is on EC2`. */
  meaning: string
  /** A part of the script for these machines only. */
  partial?: MachinePartial
  /** How an instance of this kind proves what it is (`join`). */
  proof?: MachineProof
  userData: UserDataRule
}

/** The partial of one kind of machine, used as `{{> KIND}}`. */
export interface MachinePartial {
  /**
   * Where the built-in template inserts it: `first`, before all other steps; `agent`, before the agent starts. A partial
   * at `agent` must export `DET_AGENT_ID`, the id of the VM in its cloud.
   */
  at: 'first' | 'agent'
  /** Handlebars source, checked like a user's template and compiled when a script is rendered; or a compiled template. */
  template: string | { compiled: unknown }
}

/** How instances prove what they are. */
export interface MachineProof {
  /** Kinds of proof; the first is the default. Templates test them as `proof.KIND`, with `_` for `-`. */
  kinds: readonly string[]
  /**
   * A partial that defines the shell function `join_proof <kind> <nonce>`. It prints the proof as JSON on one line, and
   * fails if it cannot be made. It may use `JOIN_URL`, functions of the other partials only if it lists them in the array
   * `PROOF_FUNCTIONS`, and must not print secrets elsewhere.
   */
  template: MachinePartial['template']
}

/** What a cloud accepts as user data. */
export interface UserDataRule {
  /** Bytes, before any base64 that the API requires; undefined: no limit. */
  limit?: number
  /**
   * What happens to a script over the limit: `gzip` if the machine unpacks it, as cloud-init does; `gzip-stub`, a script
   * that unpacks the rest; `error` if neither works.
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
  /** Folder of the client certificate of `join` and its key. */
  join: '/usr/local/determined/join',
} as const

export interface AgentSetup {
  machine: Machine
  /** Every kind of machine: templates may test each of them. */
  machines: readonly Machine[]
  poolName: string
  /** The only one, or the first of several. */
  master: MasterAddress
  /** The others, which only the built-in agent dials. */
  otherMasters?: readonly MasterAddress[]
  trust: TrustPlan
  /** How the instance gets the client certificate of its agent; undefined without `join`. */
  join?: JoinSetup
  /** The merged, validated configuration: the user's settings and those of the trust plan. */
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

/** Every address at which the agents may find their master, in the order in which they dial. */
export function mastersOf({
  master,
  otherMasters = [],
}: Pick<AgentSetup, 'master' | 'otherMasters'>): readonly MasterAddress[] {
  return [master, ...otherMasters]
}

// Builds the setup from a pool's configuration.

/** `agent_setup_template`: the user's own template, which replaces the built-in one. */
export interface UserTemplate {
  /** Path of the file, for messages. */
  name: string
  text: string
}

/** What a provider knows about the agents on its machines. */
export interface AgentFacts {
  slotType: SlotType
  /** Whole arguments of `docker run`, such as `--log-driver=awslogs`. */
  dockerLogOptions?: string[]
  /** The agent's command line when it is a process. */
  command?: string[]
  /** Number of slots without a device. */
  artificialSlots?: number
}

export interface AgentSetupInput {
  pool: ProvidedPool
  master: MasterAddress
  otherMasters?: readonly MasterAddress[]
  trust: TrustPlan
  join?: JoinSetup | undefined
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
    ...(input.otherMasters?.length && { otherMasters: input.otherMasters }),
    trust: input.trust,
    ...(input.join && { join: input.join }),
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
