// A container as master and agents speak of it (origin: master/pkg/cproto, master/pkg/aproto/exit.go).
import { type Device, readDevices } from './device.ts'
import { integer, nullable, object, type Reader, text, word } from './read.ts'

/** In the order they are passed through; '' is unknown. */
export const containerStates = ['ASSIGNED', 'PULLING', 'STARTING', 'RUNNING', 'TERMINATED', ''] as const
export type ContainerState = (typeof containerStates)[number]

export interface Container {
  id: string
  state: ContainerState
  devices: Device[]
  /** At most 63 characters: it becomes a docker label. */
  description: string
}

/** The origin's sentences are the type: masters and agents compare them. */
export const failureTypes = {
  containerFailed: 'container failed with non-zero exit code',
  containerAborted: 'container was aborted before it started',
  containerMissing: 'request for action on unknown container',
  taskAborted: 'task was aborted before the task was started',
  taskError: 'task failed without an associated exit code',
  agentFailed: 'agent failed while the container was running',
  restoreError: 'container failed to restore after agent failure',
  agentError: 'agent failed to launch the container',
} as const

export interface ContainerFailure {
  /** One of `failureTypes`, or a sentence of a newer agent. */
  FailureType: string
  ErrMsg: string
  ExitCode: number | null
}

export const readContainer: Reader<Container> = object<Container>({
  id: text(256),
  state: word(containerStates),
  devices: readDevices,
  description: text(1024),
})

export const readFailure: Reader<ContainerFailure | null> = nullable(
  object<ContainerFailure>({ FailureType: text(1024), ErrMsg: text(65_536), ExitCode: nullable(integer) }),
)

/** True when `to` is known and not before `from`. */
export function isProgress(from: ContainerState, to: ContainerState): boolean {
  if (to === '') return false
  return from === '' || containerStates.indexOf(to) >= containerStates.indexOf(from)
}
