// Processes that start only after they are recorded: a shell waits for a line of input before it runs the command.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'

export interface GatedOptions {
  /** Such as `['sh']`; looked up on the PATH of `env`. */
  shell: readonly [string, ...string[]]
  /** The script that the shell runs once it is released; `$1` and so on are `args`. It must not read standard input. */
  body: string
  args: readonly string[]
  cwd: string
  env: Readonly<Record<string, string | undefined>>
  /** File handles; the caller closes them. */
  stdout: number
  stderr: number
}

export interface GatedProcess {
  /** Also the id of its process group and session. */
  pid: number
  /** See `processStart`. */
  start: string
  /** Starts the script. */
  release(): void
  /** Ends the shell before the script has started, with exit status 125. The end of this process does the same. */
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
  // A shell that was killed before it could read must not crash this process (EPIPE).
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

/** ESRCH is no error: the process has already exited. `pid` below 0 is a process group. */
export function sendSignal(pid: number, signal: NodeJS.Signals | number): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

// Distinguishes a process from a later one with the same id, so that a signal never reaches the wrong process.

/**
 * When the process started, in a form to compare and to store; undefined when it is gone or a zombie.
 * Linux: boot id and field 22 of /proc/<pid>/stat (proc_pid_stat(5)); elsewhere `ps -o lstart`, to the second.
 */
export function processStart(pid: number, platform: NodeJS.Platform = process.platform): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  return platform === 'linux' ? startFromProc(pid) : startFromPs(pid)
}

/**
 * Ids of processes that were started with this `NAME=value` in their environment, which they keep in every group and
 * session. Works only on Linux; elsewhere the list is always empty.
 */
export function processesWith(variable: string, platform: NodeJS.Platform = process.platform): number[] {
  if (platform !== 'linux') return []
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return pids.filter((pid) => environmentOf(pid).includes(variable) && processStart(pid) !== undefined)
}

/** Group of a process on Linux (field 5 of its stat); undefined when it is gone, or on another system. */
export function processGroup(pid: number): number | undefined {
  const group = Number(statOf(pid)[2])
  return Number.isInteger(group) ? group : undefined
}

function startFromProc(pid: number): string | undefined {
  const fields = statOf(pid)
  const [state, ticks] = [fields[0], fields[19]]
  if (ticks === undefined || state === 'Z' || state === 'X') return undefined
  return `${readOrNothing('/proc/sys/kernel/random/boot_id').trim()}/${ticks}`
}

/** The fields from the third on. The name in field 2 may contain spaces and parentheses, so they start after the last `)`. */
function statOf(pid: number): string[] {
  const stat = readOrNothing(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function startFromPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { LC_ALL: 'C', PATH: '/bin:/usr/bin' },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
    const [state, ...start] = line.split(/\s+/)
    return !state || state.startsWith('Z') ? undefined : start.join(' ')
  } catch {
    return undefined
  }
}

function environmentOf(pid: number): string[] {
  return readOrNothing(`/proc/${pid}/environ`).split('\0')
}

/** A process may exit, or its id may be reused, between two reads. */
function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
