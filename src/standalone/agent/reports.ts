// What an agent tells its master about a container.
import {
  type Container,
  type ContainerFailure,
  type ContainerState,
  failureTypes,
} from '../protocol/container.ts'
import type { ContainerReattachAck, MasterMessage } from '../protocol/messages.ts'
import type { TaskEnd } from './task-record.ts'

export function stateReport(container: Container, state: 'STARTING' | 'RUNNING'): Partial<MasterMessage> {
  return {
    ContainerStateChanged: {
      Container: { ...container, state },
      ContainerStarted: state === 'RUNNING' ? { ProxyAddress: '', ContainerInfo: {} } : null,
      ContainerStopped: null,
    },
  }
}

export function endReport(container: Container, failure: ContainerFailure | null): Partial<MasterMessage> {
  return {
    ContainerStateChanged: {
      Container: { ...container, state: 'TERMINATED' },
      ContainerStarted: null,
      ContainerStopped: { Failure: failure },
    },
  }
}

export function reattachAck(
  container: Container,
  state: ContainerState,
  failure: ContainerFailure | null,
): ContainerReattachAck {
  return { Container: { ...container, state }, Failure: failure }
}

export function failureOf({ exitCode }: TaskEnd): ContainerFailure | null {
  if (exitCode === 0) return null
  const why =
    exitCode > 128 ? `it was ended by signal ${exitCode - 128}` : `it ended with exit status ${exitCode}`
  return failure('containerFailed', why, exitCode)
}

export function failure(
  type: keyof typeof failureTypes,
  message: string,
  exitCode: number | null = null,
): ContainerFailure {
  return { FailureType: failureTypes[type], ErrMsg: message, ExitCode: exitCode }
}
