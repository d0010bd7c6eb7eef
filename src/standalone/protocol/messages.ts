// What an agent tells its master (origin: master/pkg/aproto/master_message.go).
import { type Container, type ContainerFailure, readContainer, readFailure } from './container.ts'
import { type Device, readDevices } from './device.ts'
import { anything, flag, integer, list, nullable, object, text } from './read.ts'
import { type Decoded, decodeUnion, encodeUnion, type Members } from './union.ts'

export interface ContainerReattachAck {
  Container: Container
  /** null: it still runs, or ended well when its state is TERMINATED. */
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
