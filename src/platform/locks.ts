// A lock for one process: a file that names its owner, which refreshes it, and a kernel lock if available.

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
  /** Whether this process still has it. Check it before every action that only one process may do. */
  isHeld(): boolean
  /** Refreshes the lock; call it more often than every `staleAfter`. */
  beat(): void
  release(): void
}

/** A process as others can recognise it. */
export interface ProcessMark {
  pid: number
  host: string
  /** Distinguishes the process from a later one with the same id. */
  start: string | undefined
  /** Boot id of its kernel: a process id is valid only within one boot of a kernel and one namespace. */
  boot: string | undefined
  pidNamespace: string | undefined
}

interface Owner extends ProcessMark {
  nonce: string
  /** It also holds the kernel lock: a process that gets the kernel lock knows that this owner has exited. */
  kernel: boolean
}

/** An owner that has not refreshed its lock for this many milliseconds counts as exited in every case. */
export const staleAfter = 60_000

export interface LockOptions {
  /** The time of day in milliseconds, which becomes the file's date for other processes. */
  now: () => number
  /** The kernel lock beside the file, if it could be taken. The caller holds and releases it. */
  kernel?: KernelLock
}

/** For `hasExited`, in another process. */
export function thisProcess(): ProcessMark {
  return {
    pid: process.pid,
    start: processStart(process.pid),
    host: hostname(),
    boot: bootId(),
    pidNamespace: pidNamespace(),
  }
}

/** Takes the lock, or throws a ProvisionError (LOCK_HELD) that names its holder. */
export function takeLock(file: string, { now, kernel }: LockOptions): Lock {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const owner: Owner = { nonce: randomUUID(), ...thisProcess(), kernel: kernel !== undefined }
  const ownFile = `${file}.${owner.nonce}`
  writeFileSync(ownFile, JSON.stringify(owner), { mode: 0o600, flag: 'wx' })
  try {
    // A link is created atomically, and only if the name is free (link(2)).
    if (!linked(ownFile, file)) {
      const other = ownerOf(file)
      if (!isFree(other, file, now(), kernel !== undefined)) throw lockHeld(file)
      setAside(file, other, ownFile)
      if (!linked(ownFile, file)) throw lockHeld(file)
    }
  } finally {
    rmSync(ownFile, { force: true })
  }
  /** The file is damaged, and the kernel lock proves that no other process has taken it. */
  const isDamaged = () => ownerOf(file) === undefined && kernel?.isInPlace() === true
  const isHeld = () => ownerOf(file)?.nonce === owner.nonce || isDamaged()
  return {
    isHeld,
    beat() {
      if (isDamaged()) writeFileAtomic(file, JSON.stringify(owner))
      const seconds = now() / 1000
      if (isHeld()) utimesSync(file, seconds, seconds)
    },
    release() {
      if (isHeld()) rmSync(file, { force: true })
    },
  }
}

/** Moves the exited owner's file away. Two processes may try: one that moved the other's new lock puts it back. */
function setAside(file: string, judged: Owner | undefined, ownFile: string): void {
  const aside = `${ownFile}.stale`
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

/** @param hasKernelLock this process holds the kernel lock beside the file */
function isFree(owner: Owner | undefined, file: string, now: number, hasKernelLock: boolean): boolean {
  const freshUntil = freshUntilOf(file)
  if (freshUntil === undefined || now > freshUntil) return true
  // An owner on another machine, or one without the kernel lock, may still be running.
  if (hasKernelLock && (owner === undefined || (owner.kernel && isOfThisMachine(owner)))) return true
  return owner !== undefined && hasExited(owner)
}

/** Milliseconds since the epoch; undefined when the file does not exist. */
function freshUntilOf(file: string): number | undefined {
  const stats = lstatSync(file, { throwIfNoEntry: false })
  return stats && stats.mtimeMs + staleAfter
}

/** Compares boot ids, or host names if the system has no boot ids. */
function isOfThisMachine({ boot, host }: Owner): boolean {
  const here = bootId()
  return here === undefined ? boot === undefined && host === hostname() : boot === here
}

/** Host names and process ids repeat in many containers: they are comparable only within one kernel and namespace. */
export function hasExited({ pid, start, boot, pidNamespace: namespace }: ProcessMark): boolean {
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
