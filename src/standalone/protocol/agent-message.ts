// What a master tells its agents (origin: master/pkg/aproto/agent_message.go).
import { type Container, readContainer } from './container.ts'
import { flag, integer, list, object, text } from './read.ts'
import { type ContainerSpec, readSpec } from './spec.ts'
import { type Decoded, decodeUnion, encodeUnion, type Members } from './union.ts'

export interface MasterInfo {
  version: string
  master_id: string
  cluster_id: string
  cluster_name: string
  telemetry: { enabled: boolean; segment_key?: string; otel_enabled: boolean; otel_endpoint: string }
}

/** The first frame on every connection. */
export interface MasterSetAgentOptions {
  MasterInfo: MasterInfo
  /** `default` is the only kind a master of ours sends; Go's decoder refuses an absent one. */
  LoggingOptions: { type: string }
  ContainersToReattach: { Container: Container }[]
}

export interface StartContainer {
  Container: Container
  Spec: ContainerSpec
}

export interface SignalContainer {
  ContainerID: string
  /** Number of a POSIX signal: 15 to end, 9 to kill. */
  Signal: number
}

export interface AgentShutdown {
  ErrMsg: string
}

/** Exactly one member is not null. */
export interface AgentMessage {
  MasterSetAgentOptions: MasterSetAgentOptions | null
  StartContainer: StartContainer | null
  SignalContainer: SignalContainer | null
  AgentShutdown: AgentShutdown | null
}

const telemetry = object<MasterInfo['telemetry']>({
  enabled: flag,
  segment_key: text(256),
  otel_enabled: flag,
  otel_endpoint: text(1024),
})

const agentMembers: Members<AgentMessage> = {
  MasterSetAgentOptions: object<MasterSetAgentOptions>({
    MasterInfo: object<MasterInfo>({
      version: text(256),
      master_id: text(256),
      cluster_id: text(256),
      cluster_name: text(256),
      telemetry: (value, path) => telemetry(value ?? {}, path),
    }),
    LoggingOptions: (value, path) => object({ type: text(64) })(value ?? {}, path),
    ContainersToReattach: list(object({ Container: readContainer }), 10_000),
  }),
  StartContainer: object<StartContainer>({ Container: readContainer, Spec: readSpec }),
  SignalContainer: object<SignalContainer>({ ContainerID: text(256), Signal: integer }),
  AgentShutdown: object<AgentShutdown>({ ErrMsg: text(65_536) }),
}

export function encodeAgentMessage(message: Partial<AgentMessage>): string {
  return encodeUnion(agentMembers, message)
}

export function decodeAgentMessage(frame: string): Decoded<AgentMessage> {
  return decodeUnion(agentMembers, frame)
}

/** The answer to an agent that came back too late or changed; agents look for these words (origin: aproto/agent_message.go). */
export const pastReconnectPeriod = 'agent is past reconnect period, it must restart'

export function mustRestart(message: string): boolean {
  return message.includes(pastReconnectPeriod)
}
