// A lock of the kernel: flock(2), which Node has no call for, so that a small program takes it. Programs in other languages keep it too.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, fstatSync, lstatSync } from 'node:fs'
import { openPlainFile } from './own-files.ts'

/** Released when this process ends, however it ends. */
export interface KernelLock {
  /** Whether the path still leads to the locked file: it was not removed and created again. */
  isInPlace(): boolean
  release(): void
}

/**
 * The child locks a descriptor that it shares with this process, and exits: a lock of flock(2) belongs to the opened file, not to
 * the process that asked for it. Exit status 1 without output: another process holds it. `flock` is util-linux's or
 * busybox's; systems without it have Perl, such as macOS.
 */
const taker = `
if command -v flock >/dev/null; then exec flock -n 3; fi
if command -v perl >/dev/null; then exec perl -e 'open(F, ">&=3") or exit 2; flock(F, 6) or exit($!{EWOULDBLOCK} ? 1 : 2)'; fi
exit 127
`

/**
 * Takes the lock on the file, which is made when it is missing, for the life of this process. `held`: another process has
 * it. `unavailable`: this machine has no means to take one, or the file system has no such locks. Throws an errno error, and for what is no regular file.
 */
export async function takeKernelLock(file: string): Promise<KernelLock | 'held' | 'unavailable'> {
  const handle = openPlainFile(file, constants.O_RDWR | constants.O_CREAT)
  const outcome = await lockShared(handle)
  if (outcome !== 'taken') {
    closeSync(handle)
    return outcome
  }
  const { ino, dev } = fstatSync(handle)
  let isReleased = false
  return {
    isInPlace() {
      const there = lstatSync(file, { throwIfNoEntry: false })
      return !isReleased && there?.ino === ino && there.dev === dev
    },
    release() {
      if (!isReleased) closeSync(handle)
      isReleased = true
    },
  }
}

async function lockShared(handle: number): Promise<'taken' | 'held' | 'unavailable'> {
  const shell = spawn('sh', ['-c', taker], { stdio: ['ignore', 'ignore', 'pipe', handle], timeout: patience })
  let complaints = ''
  shell.stderr?.on('data', (part) => {
    complaints += String(part)
  })
  const [status] = await once(shell, 'close').catch(() => [undefined])
  if (status === 0) return 'taken'
  return status === 1 && complaints === '' ? 'held' : 'unavailable'
}

// The same lock, held while one function runs; it is waited for.

/** Milliseconds. Those who hold such a lock write one small file. */
const patience = 10_000

/** The descriptor of the shell keeps the lock until the shell is asked to exit or this process has died. */
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

/** Resolves once the lock is held, or is known to be unavailable on this machine. */
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
