// Processes that run only once they are written down: a shell waits for a word before it becomes what was asked for.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { processStart } from './process-identity.ts'

export interface GatedOptions {
  /** Such as `['sh']`; looked up on the PATH of `env`. */
  shell: readonly [string, ...string[]]
  /** What the shell does once it is released; `$1` and so on are `args`. Its standard input is of no use to it. */
  body: string
  args: readonly string[]
  cwd: string
  env: Readonly<Record<string, string | undefined>>
  /** File handles; they stay the caller's to close. */
  stdout: number
  stderr: number
}

export interface GatedProcess {
  /** Also the id of its process group and session. */
  pid: number
  /** See `processStart`. */
  start: string
  /** Lets it run. */
  release(): void
  /** Ends it before anything has run, with exit status 125. So does the death of this process. */
  abandon(): void
  ended: Promise<ProcessEnd>
}

/** One of the two is null. */
export interface ProcessEnd {
  code: number | null
  signal: NodeJS.Signals | null
}

/** Throws the errno error of the spawn. */
export async function startGated(options: GatedOptions): Promise<GatedProcess> {
  const [shell, ...flags] = options.shell
  const script = `IFS= read -r _ || exit 125; ${options.body}`
  const child = spawn(shell, [...flags, '-c', script, 'provision', ...options.args], {
    cwd: options.cwd,
    detached: true,
    env: options.env,
    stdio: ['pipe', options.stdout, options.stderr],
  })
  const ended = new Promise<ProcessEnd>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  )
  const gate = child.stdin!
  // One that was killed before it could read must not take this process with it (EPIPE).
  gate.on('error', () => {})
  await once(child, 'spawn')
  child.unref()
  const pid = child.pid!
  return {
    pid,
    start: processStart(pid) ?? 'ended',
    release: () => gate.end('\n'),
    abandon: () => gate.destroy(),
    ended,
  }
}

/** ESRCH is no error: what was to be ended has. `pid` below 0 is a process group. */
export function sendSignal(pid: number, signal: NodeJS.Signals | number): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
