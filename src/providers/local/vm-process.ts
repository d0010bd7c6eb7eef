// The processes of a local VM: started only once they are written down, found again, and ended as a whole.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { failureStages } from '../../model/stage.ts'
import { processesWith, processGroup, processStart } from '../../platform/process-identity.ts'
import { rootVariable, vmEnvironment } from './environment.ts'
import type { VmRecord } from './vm-record.ts'

/** Waits for one line before it becomes the script: when the provisioner dies in between, nothing runs. */
const gate = 'IFS= read -r _ || exit 125; exec bash "$1" </dev/null'

export interface StartOptions {
  id: string
  root: string
  script: string
  /** File handle for standard out and standard error; stays the caller's to close. */
  console: number
  env: Readonly<Record<string, string | undefined>>
}

export interface WaitingProcess {
  pid: number
  start: string
  /** Lets the script run. */
  release(): void
  /** Ends it before anything of the script has run. */
  abandon(): void
  /** Settles with the reason when the process ends under our eyes. */
  ended: Promise<string>
}

/** Throws the errno error of the spawn. The process leads a session and group of its own. */
export async function startVm(options: StartOptions): Promise<WaitingProcess> {
  // --norc: on a socket, which Node's pipes are, bash thinks it serves rsh and reads the user's ~/.bashrc.
  const child = spawn('bash', ['--norc', '-c', gate, 'provision', options.script], {
    cwd: options.root,
    detached: true,
    env: vmEnvironment(options),
    stdio: ['pipe', options.console, options.console],
  })
  const ended = new Promise<string>((resolve) =>
    child.once('exit', (code, signal) => resolve(reason(code, signal))),
  )
  // A script that was killed before it could read must not take the provisioner with it (EPIPE).
  const go = child.stdin!
  go.on('error', () => {})
  await once(child, 'spawn')
  child.unref()
  const pid = child.pid!
  return {
    pid,
    start: processStart(pid) ?? 'ended',
    release: () => go.end('\n'),
    abandon: () => go.destroy(),
    ended,
  }
}

/** Ids of what still runs of the VM: its script, or what its script left behind. */
export function runningProcesses(record: VmRecord, root: string): number[] {
  if (leads(record)) return [record.process.pid]
  return processesWith(rootVariable(root))
}

/** To every process of the VM, once. Throws the errno error when this machine does not permit it. */
export function signalVm(record: VmRecord, root: string, signal: 'SIGTERM' | 'SIGKILL'): void {
  const group = leads(record) ? record.process.pid : undefined
  // What left the group (setsid) ends with the VM too, as it would when a machine is powered off.
  const others = processesWith(rootVariable(root)).filter((pid) => processGroup(pid) !== group)
  for (const pid of group === undefined ? others : [-group, ...others]) send(pid, signal)
}

function leads({ process }: VmRecord): boolean {
  return processStart(process.pid) === process.start
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function reason(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal) return `ended by ${signal}`
  const stage = Object.entries(failureStages).find(([, info]) => info.exit === code)
  return `exit status ${code}${stage ? `: ${stage[0]}, ${stage[1].meaning}` : ''}`
}
