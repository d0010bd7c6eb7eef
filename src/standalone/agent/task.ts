// The process of a task: a shell that waits for it, so that its exit status is known even when no agent saw the end.
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
  MasterInfo,
  MasterMessage,
  SignalContainer,
  StartContainer,
} from '../protocol/messages.ts'
import type { Environment } from './task-environment.ts'

/**
 * The first thing it does is to leave a mark, so that a task which was never let go is told from one that was killed. The
 * shell outlives the signals its group is sent, writes down how the task ended, and takes what the task left behind
 * with it, as the end of a container would.
 */
const body = `: >"$1.begun"
trap : TERM INT HUP QUIT USR1 USR2
status=$1; shift
"$@" </dev/null
code=$?
printf '%s\\n' "$code" >"$status.tmp" && mv -f "$status.tmp" "$status"
kill -s KILL 0`

export const outputFiles = { stdout: 'stdout', stderr: 'stderr' } as const

/** Throws the errno error of what could not be opened or started. */
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

/** Milliseconds a shell that is alive may take to leave its mark, or to end because its agent has. */
const slowestShell = 5000

/** Of a task that an earlier agent may have died over: was its command let go? */
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

/** Of a task that runs no more. Without a word from the shell it was killed together with it. */
export function exitCodeOf(folder: string): number {
  try {
    const code = Number(readFileSync(join(folder, 'status'), 'utf8').trim())
    return Number.isInteger(code) ? code : killed
  } catch {
    return killed
  }
}

const killed = 128 + 9

// What is written down about a task, in <work folder>/<container id>/task.json: it survives the agent.

export interface TaskRecord {
  /** As the master described it; its state is not kept here. */
  container: Container
  clusterId: string
  /** The shell that waits for the task and leads its process group. Written before the task may run. */
  process: { pid: number; start: string }
  ended?: TaskEnd
}

export interface TaskEnd {
  /** Milliseconds since the epoch. */
  at: number
  /** As a shell tells it: 128 and the signal's number for a task ended by a signal. */
  exitCode: number
}

const fileName = 'task.json'

/** undefined for a folder in which nothing was started, or whose record cannot be read. */
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

// What a connected agent does with the containers its master asks for.

/** False when the connection is over. */
export type Send = (message: Partial<MasterMessage>) => boolean

export interface Tasks {
  /**
   * What has become of the containers the master believes this agent has; it goes with AgentStarted. Others are ended, or
   * with `keepOthers` told about, too.
   */
  reattach(master: MasterInfo, expected: Container[], keepOthers: boolean): Promise<ContainerReattachAck[]>
  /** AgentStarted is said: from here on the master may be told of containers, until the connection is over. */
  online(send: Send): void
  start(order: StartContainer): void
  signal(order: SignalContainer): void
}

// What an agent tells its master about a container.

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
