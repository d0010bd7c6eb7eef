// One process at a time: a file that names its owner, which refreshes it, with a kernel lock where there is one.

import { randomUUID } from 'node:crypto'
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { ProvisionError, problem } from '../problems/index.ts'
import { bootId } from './boot.ts'
import { writeFileAtomic } from './files.ts'
import type { KernelLock } from './flock.ts'
import { readPlainFile } from './own-files.ts'
import { processStart } from './processes.ts'

export interface Lock {
  /** Whether it is still ours. Check it before anything that only one process may do. */
  isHeld(): boolean
  /** Refreshes the lock; call it more often than every `staleAfter`. */
  beat(): void
  release(): void
}

interface Owner {
  nonce: string
  pid: number
  host: string
  /** Distinguishes the process from a later one with the same id. */
  start: string | undefined
  /** Of the kernel that runs it: a process id is valid only within one boot of a kernel and one namespace. */
  boot: string | undefined
  pidNamespace: string | undefined
  /** It also holds the kernel lock: a process that gets the kernel lock knows that this owner is gone. */
  kernel: boolean
}

/** An owner that has not refreshed its lock for so many milliseconds counts as gone, whatever else is known. */
export const staleAfter = 60_000

export interface LockOptions {
  /** The time of day in milliseconds: the file carries it, for other processes to read. */
  now: () => number
  /** The kernel's lock beside the file, where it could be had. The caller holds it, and releases it. */
  kernel?: KernelLock
}

/** Takes the lock, or throws a ProvisionError (LOCK_HELD) that names its holder. */
export function takeLock(file: string, { now, kernel }: LockOptions): Lock {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const owner: Owner = {
    nonce: randomUUID(),
    pid: process.pid,
    start: processStart(process.pid),
    host: hostname(),
    boot: bootId(),
    pidNamespace: pidNamespace(),
    kernel: kernel !== undefined,
  }
  const mine = `${file}.${owner.nonce}`
  writeFileSync(mine, JSON.stringify(owner), { mode: 0o600, flag: 'wx' })
  try {
    // A link is created atomically, and only if the name is free (link(2)).
    if (!linked(mine, file)) {
      const other = ownerOf(file)
      if (!isFree(other, file, now(), kernel !== undefined)) throw lockHeld(file)
      setAside(file, other, mine)
      if (!linked(mine, file)) throw lockHeld(file)
    }
  } finally {
    rmSync(mine, { force: true })
  }
  /** What the file should contain but does not, if no other process can have taken it. */
  const isSpoilt = () => ownerOf(file) === undefined && kernel?.isInPlace() === true
  const isHeld = () => ownerOf(file)?.nonce === owner.nonce || isSpoilt()
  return {
    isHeld,
    beat() {
      if (isSpoilt()) writeFileAtomic(file, JSON.stringify(owner))
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

/** undefined for a file that is missing or names no owner. */
function ownerOf(file: string): Owner | undefined {
  try {
    const { nonce, pid, host, ...rest }: Record<string, unknown> = JSON.parse(readPlainFile(file) ?? '')
    if (typeof nonce !== 'string' || typeof pid !== 'number' || typeof host !== 'string') return undefined
    const text = (name: string) => (typeof rest[name] === 'string' ? rest[name] : undefined)
    const [start, boot, pidNamespace] = [text('start'), text('boot'), text('pidNamespace')]
    return { nonce, pid, host, start, boot, pidNamespace, kernel: rest['kernel'] === true }
  } catch {
    return undefined
  }
}

/** @param isOurs the lock of the kernel beside the file is ours */
function isFree(owner: Owner | undefined, file: string, now: number, isOurs: boolean): boolean {
  const freshUntil = freshUntilOf(file)
  if (freshUntil === undefined || now > freshUntil) return true
  // An owner of another machine, or one that could not take it, may live all the same.
  if (isOurs && (owner === undefined || (owner.kernel && isOfThisMachine(owner)))) return true
  return owner !== undefined && isSurelyGone(owner)
}

/** Milliseconds since the epoch; undefined when there is no file any more. */
function freshUntilOf(file: string): number | undefined {
  const stats = lstatSync(file, { throwIfNoEntry: false })
  return stats && stats.mtimeMs + staleAfter
}

/** By the kernel that runs now; where that has no id, by name. */
function isOfThisMachine({ boot, host }: Owner): boolean {
  const here = bootId()
  return here === undefined ? boot === undefined && host === hostname() : boot === here
}

/** Host names and process ids repeat in many containers: they are comparable only within one kernel and namespace. */
function isSurelyGone({ pid, start, boot, pidNamespace: namespace }: Owner): boolean {
  if (boot === undefined || boot !== bootId()) return false
  if (namespace === undefined || namespace !== pidNamespace()) return false
  return processStart(pid) === undefined || processStart(pid) !== start
}

function pidNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return undefined
  }
}

/** The LOCK_HELD problem for a file that another process holds. */
export function lockHeld(file: string): ProvisionError {
  const owner = ownerOf(file)
  const who = owner ? `process ${owner.pid} on ${owner.host}` : 'another process'
  const freshUntil = freshUntilOf(file)
  const until =
    freshUntil === undefined
      ? ''
      : `; it was last refreshed at ${new Date(freshUntil - staleAfter).toISOString()} and stays valid for ${staleAfter / 1000} s`
  return new ProvisionError(
    problem('LOCK_HELD', `${who} holds ${file}${until}`, { details: { file, owner } }),
  )
}
