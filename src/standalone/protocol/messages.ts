// Messages from an agent to its master (Determined: master/pkg/aproto/master_message.go).
import {
  anything,
  type Container,
  type ContainerFailure,
  type ContainerSpec,
  type Device,
  flag,
  integer,
  list,
  nullable,
  object,
  optional,
  type Reader,
  readContainer,
  readDevices,
  readFailure,
  readSpec,
  text,
  WireError,
} from './container.ts'

// Messages are unions in Go's encoding: an object with all members, of which all but one are null.

export type Decoded<T> = { ok: true; message: T } | { ok: false; reason: string }

/** Readers of a union's members, by their PascalCase names. */
export type Members<T extends object> = { [K in keyof T]-?: Reader<Exclude<T[K], null>> }

/** Writes every member, the unused ones as null, like Go's encoder; older decoders expect that. */
export function encodeUnion<T extends object>(members: Members<T>, message: Partial<T>): string {
  const whole: Record<string, unknown> = {}
  for (const name of Object.keys(members)) whole[name] = message[name as keyof T] ?? null
  return JSON.stringify(whole)
}

/**
 * Decodes one frame. Unknown members of newer versions are ignored next to a known one; a frame with no or several known
 * members, `null`, or anything but an object is invalid. Never throws.
 */
export function decodeUnion<T extends object>(members: Members<T>, frame: string): Decoded<T> {
  try {
    const value: unknown = JSON.parse(frame)
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { ok: false, reason: `expected an object, got ${describe(value)}` }
    const given = Object.entries(value).filter(([, member]) => member !== null)
    const known = given.filter(([name]) => Object.hasOwn(members, name))
    if (known.length !== 1) return { ok: false, reason: reasonFor(known, given) }
    const [name, member] = known[0]!
    const message: Record<string, unknown> = {}
    for (const other of Object.keys(members)) message[other] = null
    message[name] = members[name as keyof T](member as never, name)
    return { ok: true, message: message as T }
  } catch (error) {
    if (error instanceof WireError) return { ok: false, reason: error.message }
    return { ok: false, reason: `not JSON: ${(error as Error).message.slice(0, 100)}` }
  }
}

function describe(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`
}

function reasonFor(known: [string, unknown][], given: [string, unknown][]): string {
  if (known.length > 1) return `several members at once: ${known.map(([name]) => name).join(', ')}`
  if (given.length === 0) return 'no member is set'
  return `no known member: ${given
    .map(([name]) => name.slice(0, 40))
    .slice(0, 5)
    .join(', ')}`
}

export interface ContainerReattachAck {
  Container: Container
  /** null: it still runs, or it succeeded when its state is TERMINATED. */
  Failure: ContainerFailure | null
}

export interface AgentStarted {
  Version: string
  Devices: Device[]
  ContainersReattached: ContainerReattachAck[]
  /** '' from agents that do not send it. */
  ResourcePoolName: string
}

export interface ContainerStateChanged {
  Container: Container
  ContainerStarted: { ProxyAddress: string; ContainerInfo: unknown } | null
  ContainerStopped: { Failure: ContainerFailure | null } | null
}

export interface ContainerLog {
  ContainerID: string
  /** RFC 3339. */
  Timestamp: string
  Level: string | null
  PullMessage: string | null
  /** `StdType` is 1 for standard out, 2 for standard error. */
  RunMessage: { Value: string; StdType: number } | null
  AuxMessage: string | null
  /** Only from the built-in agent: bytes that the container had printed to this stream with the line. */
  Position?: number | undefined
}

/** Bytes of each stream of a container. */
export interface StreamPositions {
  Stdout: number
  Stderr: number
}

export interface ContainerStatsRecord {
  EndStats: boolean
  Stats: unknown
  TaskType: string
}

/** Exactly one member is not null. */
export interface MasterMessage {
  AgentStarted: AgentStarted | null
  ContainerStateChanged: ContainerStateChanged | null
  ContainerLog: ContainerLog | null
  ContainerStatsRecord: ContainerStatsRecord | null
}

const longText = text(4 * 1024 * 1024)

const masterMembers: Members<MasterMessage> = {
  AgentStarted: object<AgentStarted>({
    Version: text(256),
    Devices: readDevices,
    ContainersReattached: list(
      object<ContainerReattachAck>({ Container: readContainer, Failure: readFailure }),
      10_000,
    ),
    ResourcePoolName: text(256),
  }),
  ContainerStateChanged: object<ContainerStateChanged>({
    Container: readContainer,
    ContainerStarted: nullable(object({ ProxyAddress: text(1024), ContainerInfo: anything })),
    ContainerStopped: nullable(object({ Failure: readFailure })),
  }),
  ContainerLog: object<ContainerLog>({
    ContainerID: text(256),
    Timestamp: text(64),
    Level: nullable(text(64)),
    PullMessage: nullable(longText),
    RunMessage: nullable(object({ Value: longText, StdType: integer })),
    AuxMessage: nullable(longText),
    Position: optional(integer),
  }),
  ContainerStatsRecord: object<ContainerStatsRecord>({
    EndStats: flag,
    Stats: anything,
    TaskType: text(64),
  }),
}

export function encodeMasterMessage(message: Partial<MasterMessage>): string {
  return encodeUnion(masterMembers, message)
}

export function decodeMasterMessage(frame: string): Decoded<MasterMessage> {
  return decodeUnion(masterMembers, frame)
}

// Messages from a master to its agents (Determined: master/pkg/aproto/agent_message.go).

export interface MasterInfo {
  version: string
  master_id: string
  cluster_id: string
  cluster_name: string
  telemetry: { enabled: boolean; segment_key?: string; otel_enabled: boolean; otel_endpoint: string }
}

export interface ContainerToReattach {
  Container: Container
  /** Only from the built-in master: the agent sends the output that follows. */
  OutputReceived?: StreamPositions | undefined
}

/** The first frame on every connection. */
export interface MasterSetAgentOptions {
  MasterInfo: MasterInfo
  /** The built-in master sends only `default`; Go's decoder rejects a missing value. */
  LoggingOptions: { type: string }
  ContainersToReattach: ContainerToReattach[]
  /**
   * Only from the built-in master, when its state was lost: the agent then also lists its other containers in
   * ContainersReattached, and kills none. Agents that do not know this member kill them.
   */
  KeepContainers?: boolean
}

export interface StartContainer {
  Container: Container
  Spec: ContainerSpec
}

export interface SignalContainer {
  ContainerID: string
  /** Number of a POSIX signal: 15 to stop, 9 to kill. */
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

const readPositions = object<StreamPositions>({ Stdout: integer, Stderr: integer })

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
    ContainersToReattach: list(
      object<ContainerToReattach>({ Container: readContainer, OutputReceived: optional(readPositions) }),
      10_000,
    ),
    KeepContainers: flag,
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

/** The answer to an agent that returned too late or changed. Agents search for this string (Determined: aproto/agent_message.go). */
export const pastReconnectPeriod = 'agent is past reconnect period, it must restart'

export function mustRestart(message: string): boolean {
  return message.includes(pastReconnectPeriod)
}
