// The process of a task: a shell waits for it and records the exit status, even when no agent is running.
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Clock,
  type GatedProcess,
  processStart,
  sendSignal,
  startGated,
  writeFileAtomic,
} from '../../platform/index.ts'
import {
  type Container,
  type ContainerFailure,
  type ContainerState,
  failureTypes,
} from '../protocol/container.ts'
import type {
  ContainerReattachAck,
  ContainerToReattach,
  MasterInfo,
  MasterMessage,
  SignalContainer,
  StartContainer,
} from '../protocol/messages.ts'
import type { AgentOptions } from './options.ts'
import type { Environment } from './task-environment.ts'

/**
 * First it writes a marker file, which distinguishes a task that was killed from one that never started. The shell ignores
 * the signals sent to its group, records the exit status of the task, and kills the remaining processes of the task, as
 * the end of a container would.
 */
const body = `: >"$1.begun"
trap : TERM INT HUP QUIT USR1 USR2
status=$1; shift
"$@" </dev/null
code=$?
printf '%s\\n' "$code" >"$status.tmp" && mv -f "$status.tmp" "$status"
kill -s KILL 0`

export const outputFiles = { stdout: 'stdout', stderr: 'stderr' } as const

/** Throws the errno error when a file cannot be opened or the process cannot start. */
export async function startTask(
  folder: string,
  command: readonly string[],
  cwd: string,
  env: Environment,
): Promise<GatedProcess> {
  const stdout = openSync(join(folder, outputFiles.stdout), 'ax', 0o600)
  const stderr = openSync(join(folder, outputFiles.stderr), 'ax', 0o600)
  try {
    const args = [join(folder, 'status'), ...command]
    return await startGated({ shell: ['sh'], body, args, cwd, env, stdout, stderr })
  } finally {
    closeSync(stdout)
    closeSync(stderr)
  }
}

export function isRunning({ process }: TaskRecord): boolean {
  return processStart(process.pid) === process.start
}

/** Longest time in milliseconds for a shell to write its marker, or to exit after its agent. */
const slowestShell = 5000

/** Whether the command of a task was started, when the agent that started it may have crashed. */
export async function hasBegun(folder: string, record: TaskRecord, clock: Clock): Promise<boolean> {
  for (const deadline = clock.now() + slowestShell; clock.now() < deadline; ) {
    const running = isRunning(record)
    if (existsSync(join(folder, 'status.begun'))) return true
    if (!running) return false
    await clock.sleep(10)
  }
  return true
}

export function signalTask(record: TaskRecord, signal: number): void {
  if (isRunning(record)) sendSignal(-record.process.pid, signal)
}

/** For a task that no longer runs. Without a status file, it was killed together with its shell. */
export function exitCodeOf(folder: string): number {
  try {
    const code = Number(readFileSync(join(folder, 'status'), 'utf8').trim())
    return Number.isInteger(code) ? code : killed
  } catch {
    return killed
  }
}

const killed = 128 + 9

// The record of a task, in <work folder>/<container id>/task.json; it survives the agent.

export interface TaskRecord {
  /** As in the master's order; its state is not kept here. */
  container: Container
  clusterId: string
  /** The shell that waits for the task and leads its process group. Written before the task may run. */
  process: { pid: number; start: string }
  ended?: TaskEnd
}

export interface TaskEnd {
  /** Milliseconds since the epoch. */
  at: number
  /** As shells report it: 128 plus the signal number for a task killed by a signal. */
  exitCode: number
}

const fileName = 'task.json'

/** undefined when nothing was started in the folder, or when the record cannot be read. */
export function readTask(folder: string): TaskRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(join(folder, fileName), 'utf8')) as TaskRecord
    return Number.isSafeInteger(record.process.pid) && typeof record.container.id === 'string'
      ? record
      : undefined
  } catch {
    return undefined
  }
}

export function writeTask(folder: string, record: TaskRecord): void {
  writeFileAtomic(join(folder, fileName), `${JSON.stringify(record)}\n`)
}

// The containers of a connected agent.

/** False when the connection is over. */
export type Send = (message: Partial<MasterMessage>) => boolean

export interface Tasks {
  /**
   * The state of the containers that the master expects on this agent, sent with AgentStarted. Other containers are
   * killed, or with `keepOthers` reported, too. `dialled`: with which the master was reached, for the tasks that it starts.
   */
  reattach(
    master: MasterInfo,
    expected: ContainerToReattach[],
    keepOthers: boolean,
    dialled: AgentOptions,
  ): Promise<ContainerReattachAck[]>
  /** AgentStarted was sent: container messages may follow until the connection is closed. */
  online(send: Send): void
  start(order: StartContainer): void
  signal(order: SignalContainer): void
}

// Container messages from an agent to its master.

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
  // There are 64 signals; a program may also exit with a higher status by itself.
  const isSignal = exitCode > 128 && exitCode <= 128 + 64
  const why = isSignal ? `killed by signal ${exitCode - 128}` : `exited with status ${exitCode}`
  return failure('containerFailed', why, exitCode)
}

export function failure(
  type: keyof typeof failureTypes,
  message: string,
  exitCode: number | null = null,
): ContainerFailure {
  return { FailureType: failureTypes[type], ErrMsg: message, ExitCode: exitCode }
}
