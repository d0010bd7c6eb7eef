// Kernel locks with flock(2), shared with programs in other languages. Node has no call for it, so a small program takes them.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, fstatSync, lstatSync } from 'node:fs'
import { openPlainFile } from './own-files.ts'

/** Released when this process ends, however it ends. */
export interface KernelLock {
  /** Whether the path is still that of the locked file, which was not removed and created again. */
  isInPlace(): boolean
  release(): void
}

/**
 * The child locks a descriptor that it shares with this process, and exits: a lock of flock(2) belongs to the open file, not to
 * the process that took it. Exit status 1 without output: another process holds it. `flock` is util-linux's or
 * busybox's; systems without it have Perl, such as macOS.
 */
const tryLockScript = `
if command -v flock >/dev/null; then exec flock -n 3; fi
if command -v perl >/dev/null; then exec perl -e 'open(F, ">&=3") or exit 2; flock(F, 6) or exit($!{EWOULDBLOCK} ? 1 : 2)'; fi
exit 127
`

/**
 * Takes the lock on the file until this process exits; creates the file if necessary. `held`: another process has the lock.
 * `unavailable`: this machine or file system does not support it. Throws an errno error, or an error if it is not a regular file.
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
      const current = lstatSync(file, { throwIfNoEntry: false })
      return !isReleased && current?.ino === ino && current.dev === dev
    },
    release() {
      if (!isReleased) closeSync(handle)
      isReleased = true
    },
  }
}

async function lockShared(handle: number): Promise<'taken' | 'held' | 'unavailable'> {
  const shell = spawn('sh', ['-c', tryLockScript], {
    stdio: ['ignore', 'ignore', 'pipe', handle],
    timeout: lockTimeoutMs,
  })
  let errorOutput = ''
  shell.stderr?.on('data', (part) => {
    errorOutput += String(part)
  })
  const [status] = await once(shell, 'close').catch(() => [undefined])
  if (status === 0) return 'taken'
  return status === 1 && errorOutput === '' ? 'held' : 'unavailable'
}

// The same lock while one function runs; waits for it.

/** Holders of such a lock only write one small file. */
const lockTimeoutMs = 10_000

/** The shell's descriptor keeps the lock until its standard input closes, also when this process exits. */
const holdLockScript = `
exec 9>>"$1" || exit 1
if command -v flock; then flock 9; elif command -v perl; then perl -e 'open(F, ">&=9") && flock(F, 2) or exit 1'; else exit 127; fi >&2 || exit
echo held
read -r _
`

/**
 * Runs `work` with a flock(2) on the file, which is created if necessary, or without a lock if this machine does not
 * support it. Rejects with ETIMEDOUT when another program holds the lock for the whole timeout, by default ten seconds.
 */
export async function withFlock<T>(file: string, work: () => T, timeoutMs = lockTimeoutMs): Promise<T> {
  // In its own process group, so that Ctrl-C does not end it during a write, and it can be killed with its children.
  const shell = spawn('sh', ['-c', holdLockScript, 'sh', file], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  })
  const ended = once(shell, 'close').catch(() => {})
  try {
    await held(shell, file, timeoutMs)
    return work()
  } finally {
    shell.stdin.destroy()
    await ended
  }
}

/** Resolves once the lock is held, or is known to be unavailable on this machine. */
function held(shell: ChildProcess, file: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGKILL')
      const message = `another program has held ${file} for ${timeoutMs / 1000} s`
      reject(Object.assign(new Error(message), { code: 'ETIMEDOUT' }))
    }, timeoutMs)
    const settle = () => {
      clearTimeout(timer)
      resolve()
    }
    shell.stdout?.once('data', settle)
    shell.once('error', settle)
    shell.once('close', settle)
  })
}
