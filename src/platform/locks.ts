// One process at a time: a file that names its owner and is kept fresh by it, beside a lock of the kernel where there is one.

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
  /** Still ours. To be asked before anything that only one process may do. */
  isHeld(): boolean
  /** Says that the owner lives; call it more often than every `staleAfter`. */
  beat(): void
  release(): void
}

interface Owner {
  nonce: string
  pid: number
  host: string
  /** Tells the process from a later one with the same id. */
  start: string | undefined
  /** Of the kernel that runs it: what a process id means is known only within one of it, and within one namespace. */
  boot: string | undefined
  pidNamespace: string | undefined
  /** It holds the kernel's lock, too: whoever gets that one knows that it is gone. */
  kernel: boolean
}

/** Without a sign of life for so many milliseconds an owner counts as gone, whatever else is known of it. */
export const staleAfter = 60_000

export interface LockOptions {
  /** The time of day in milliseconds: the file carries it, for other processes to read. */
  now: () => number
  /** The kernel's lock beside the file, where it could be had. The caller holds it, and releases it. */
  kernel?: KernelLock
}

/** Takes the lock, or throws a ProvisionError (LOCK_HELD) that names who has it. */
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
    // A link is made wholly or not at all, and only if the name is free (link(2)).
    if (!linked(mine, file)) {
      const other = ownerOf(file)
      if (!isFree(other, file, now(), kernel !== undefined)) throw lockHeld(file)
      setAside(file, other, mine)
      if (!linked(mine, file)) throw lockHeld(file)
    }
  } finally {
    rmSync(mine, { force: true })
  }
  /** What the file should say and does not, where nobody else can have taken it. */
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

/** undefined for a file that is missing, and for one that does not name anybody. */
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

/** Names of hosts and process ids are the same in many containers: only within one kernel and namespace they mean something. */
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

/** The LOCK_HELD of a file that another process has. */
export function lockHeld(file: string): ProvisionError {
  const owner = ownerOf(file)
  const who = owner ? `process ${owner.pid} on ${owner.host}` : 'another process'
  const freshUntil = freshUntilOf(file)
  const until =
    freshUntil === undefined
      ? ''
      : `; its last sign of life was at ${new Date(freshUntil - staleAfter).toISOString()}, and counts for ${staleAfter / 1000} s`
  return new ProvisionError(
    problem('LOCK_HELD', `${who} holds ${file}${until}`, { details: { file, owner } }),
  )
}
