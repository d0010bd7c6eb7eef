// The processes of a local VM: its script, and whatever that starts; found again, and ended as a whole.
import { failureStages } from '../../agent-setup/stages.ts'
import { processesWith, processGroup, processStart } from '../../platform/process-identity.ts'
import { type GatedProcess, type ProcessEnd, sendSignal, startGated } from '../../platform/processes.ts'
import { rootVariable, vmEnvironment } from './environment.ts'
import type { VmRecord } from './vm-record.ts'

export interface StartOptions {
  id: string
  root: string
  script: string
  /** File handle for standard out and standard error. */
  console: number
  env: Readonly<Record<string, string | undefined>>
}

/** Throws the errno error of the spawn. */
export function startVm(options: StartOptions): Promise<GatedProcess> {
  return startGated({
    // On a socket, which Node's pipes are, bash thinks it serves rsh and reads the user's ~/.bashrc.
    shell: ['bash', '--norc'],
    body: 'exec bash "$1" </dev/null',
    args: [options.script],
    cwd: options.root,
    env: vmEnvironment(options),
    stdout: options.console,
    stderr: options.console,
  })
}

export function scriptRuns({ process }: VmRecord): boolean {
  return processStart(process.pid) === process.start
}

/** Ids of what a script that has ended left behind. */
export function leftBehind(root: string): number[] {
  return processesWith(rootVariable(root))
}

/** To every process of the VM, once. Throws the errno error when this machine does not permit it. */
export function signalVm(record: VmRecord, root: string, signal: 'SIGTERM' | 'SIGKILL'): void {
  const group = scriptRuns(record) ? record.process.pid : undefined
  // What left the group (setsid) ends with the VM too, as it would when a machine is powered off.
  const others = leftBehind(root).filter((pid) => processGroup(pid) !== group)
  for (const pid of group === undefined ? others : [-group, ...others]) sendSignal(pid, signal)
}

/** Such as `exit status 32: tls_refused, nothing listens on the master port`. */
export function reasonOf({ code, signal }: ProcessEnd): string {
  if (signal) return `ended by ${signal}`
  const stage = Object.entries(failureStages).find(([, info]) => info.exit === code)
  return `exit status ${code}${stage ? `: ${stage[0]}, ${stage[1].meaning}` : ''}`
}
