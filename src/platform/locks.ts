// One process at a time: a file that names its owner, taken over only from an owner that is surely gone.
import { randomUUID } from 'node:crypto'
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
import { ProvisionError, problem } from '../problems/problem.ts'
import { processStart } from './process-identity.ts'

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
