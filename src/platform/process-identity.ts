// Tells a process from a later one that was given the same id, so that a signal never reaches a stranger.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * When the process began, in a form to compare and to keep; undefined when it is gone or only its zombie is left.
 * Linux: boot id and field 22 of /proc/<pid>/stat (proc_pid_stat(5)); elsewhere `ps -o lstart`, to the second.
 */
export function processStart(pid: number, platform: NodeJS.Platform = process.platform): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  return platform === 'linux' ? startFromProc(pid) : startFromPs(pid)
}

/**
 * Ids of processes that have this `NAME=value` in the environment they were started with: a process keeps it
 * whatever group or session it moves to. Only Linux lets us read it; elsewhere the answer is always empty.
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

/** From field 3 on: the name in field 2 may hold spaces and parentheses, so everything counts from its last one. */
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

/** A process may end, or belong to someone else, between two looks at it. */
function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
