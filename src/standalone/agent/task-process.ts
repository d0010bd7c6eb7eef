// The process of a task: a shell that waits for it, so that its exit status is known even when no agent saw the end.
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../platform/ports.ts'
import { processStart } from '../../platform/process-identity.ts'
import { type GatedProcess, sendSignal, startGated } from '../../platform/processes.ts'
import type { Environment } from './task-environment.ts'
import type { TaskRecord } from './task-record.ts'

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
