// A process that replaces a recorded local instance, whose record has its id and start time.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'

export interface LocalInstance {
  /** As in a record. */
  process: { pid: number; start: string }
  isUp(): boolean
  dispose(): void
}

/** @param root the folder of the instance, below state_dir */
export async function startLocalInstance(root: string): Promise<LocalInstance> {
  mkdirSync(root, { recursive: true })
  const child: ChildProcess = spawn('sleep', ['600'], {
    cwd: root,
    detached: true,
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], PROVISION_ROOT: root },
  })
  await once(child, 'spawn')
  const pid = child.pid!
  return {
    process: { pid, start: startOf(pid) },
    isUp: () => child.exitCode === null && child.signalCode === null,
    dispose: () => void child.kill('SIGKILL'),
  }
}

/** Boot id and start time in ticks (proc_pid_stat(5), field 22), as version 0.1.0 writes them on Linux. */
function startOf(pid: number): string {
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return `${bootId}/${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
}
