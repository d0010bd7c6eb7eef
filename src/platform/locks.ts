// One process at a time: a file that names its owner, taken over only from an owner that is surely gone.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { ProvisionError, problem } from '../problems/index.ts'
import { processStart } from './processes.ts'

export interface Lock {
  /** Still ours. To be asked before anything that only one process may do. */
  isHeld(): boolean
  /** Says that the owner lives; call it more often than every `staleAfter`. */
  beat(): void
  release(): void
}

interface Owner {
  nonce: string
  pid: number
  /** Tells the process from a later one with the same id. */
  start: string | undefined
  host: string
}

/** An owner on another host (a container that shares the folder) counts as gone without a sign of life for so long. */
export const staleAfter = 60_000

/** Takes the lock, or throws a ProvisionError (LOCK_HELD) that names who has it. */
export function takeLock(file: string, now: () => number): Lock {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const owner: Owner = {
    nonce: randomUUID(),
    pid: process.pid,
    start: processStart(process.pid),
    host: hostname(),
  }
  const mine = `${file}.${owner.nonce}`
  writeFileSync(mine, JSON.stringify(owner), { mode: 0o600, flag: 'wx' })
  try {
    // A link is made wholly or not at all, and only if the name is free (link(2)).
    if (!linked(mine, file)) {
      const other = ownerOf(file)
      if (other && !isGone(other, file, now())) throw heldBy(file, other)
      setAside(file, other, mine)
      if (!linked(mine, file)) throw heldBy(file, ownerOf(file))
    }
  } finally {
    rmSync(mine, { force: true })
  }
  const isHeld = () => ownerOf(file)?.nonce === owner.nonce
  return {
    isHeld,
    beat() {
      const seconds = now() / 1000
      if (isHeld()) utimesSync(file, seconds, seconds)
    },
    release() {
      if (isHeld()) rmSync(file, { force: true })
    },
  }
}

/** Moves the dead owner's file away. Two processes may try: the one that moved the other's new lock puts it back. */
function setAside(file: string, judged: Owner | undefined, mine: string): void {
  const aside = `${mine}.stale`
  try {
    renameSync(file, aside)
  } catch {
    return
  }
  if (ownerOf(aside)?.nonce !== judged?.nonce) linked(aside, file)
  rmSync(aside, { force: true })
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function ownerOf(file: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Owner
  } catch {
    return undefined
  }
}

function isGone({ pid, start, host }: Owner, file: string, now: number): boolean {
  if (host !== hostname()) return now - statSync(file).mtimeMs > staleAfter
  return processStart(pid) === undefined || processStart(pid) !== start
}

function heldBy(file: string, owner: Owner | undefined): ProvisionError {
  const who = owner ? `process ${owner.pid} on ${owner.host}` : 'another process'
  return new ProvisionError(problem('LOCK_HELD', `${who} holds ${file}`, { details: { file, owner } }))
}

// A lock that programs in other languages keep too: flock(2), which Node has no call for, so that a small shell holds it.

/** Milliseconds. Those who hold such a lock write one small file. */
const patience = 10_000

/** `flock` is util-linux's or busybox's; Perl is there where it is not, as on macOS. The shell's descriptor keeps the lock. */
const holder = `
exec 9>>"$1" || exit 1
if command -v flock; then flock 9; elif command -v perl; then perl -e 'open(F, ">&=9") && flock(F, 2) or exit 1'; else exit 127; fi >&2 || exit
echo held
read -r _
`

/**
 * Runs `work` while no other program holds a flock(2) on the file, which is made when it is missing. Where this machine
 * has no means to take one, the work is done without. Rejects with ETIMEDOUT when another keeps it for ten seconds.
 */
export async function withFlock<T>(file: string, work: () => T, patienceMs = patience): Promise<T> {
  // In a group of its own, for Ctrl-C to leave it alone while something is written, and to be ended with what it started.
  const shell = spawn('sh', ['-c', holder, 'sh', file], { stdio: ['pipe', 'pipe', 'ignore'], detached: true })
  const ended = once(shell, 'close').catch(() => {})
  try {
    await held(shell, file, patienceMs)
    return work()
  } finally {
    shell.stdin.destroy()
    await ended
  }
}

/** Resolves once the lock is held, or surely cannot be had on this machine. */
function held(shell: ChildProcess, file: string, patienceMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGKILL')
      const message = `another program has held ${file} for ${patienceMs / 1000} s`
      reject(Object.assign(new Error(message), { code: 'ETIMEDOUT' }))
    }, patienceMs)
    const settle = () => {
      clearTimeout(timer)
      resolve()
    }
    shell.stdout?.once('data', settle)
    shell.once('error', settle)
    shell.once('close', settle)
  })
}
