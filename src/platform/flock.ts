// A lock that programs in other languages keep too: flock(2), which Node has no call for, so that a small shell holds it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

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
