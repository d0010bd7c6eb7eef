// The local VMs of one pool: list, watch, terminate. The state of each is in its record.

import { failureStages } from '../../agent-setup/index.ts'
import {
  checkMayAct,
  type GatedProcess,
  type ProcessEnd,
  processesWith,
  processGroup,
  processStart,
  sendSignal,
  startGated,
} from '../../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'
import type { ProviderContext } from '../contract.ts'
import { type Failure, ownFailure } from '../failure.ts'
import {
  type InstanceRecord,
  isOwnedBy,
  openPoolFolder,
  type PoolFolder,
  readRecord,
  writeRecord,
} from './instance-record.ts'
import { instanceEnvironment, rootVariable } from './request.ts'

/**
 * Milliseconds between SIGTERM and SIGKILL; shorter than systemd's DefaultTimeoutStopSec, because an agent is small.
 */
const graceMs = 10_000
const pollMs = 50

export interface LocalInstances {
  readonly folder: PoolFolder
  /** All records of the pool, updated; a VM whose state cannot be determined is a problem. */
  look(): { records: InstanceRecord[]; problems: Problem[] }
  /** Records the exit of a VM that this process started. */
  watch(record: InstanceRecord, ended: Promise<string>): void
  /**
   * Requests the termination of a VM. Unknown and terminated ones are accepted; foreign ones throw `PROVIDER_NOT_OURS`.
   */
  end(id: string): void
  /** Terminates every VM of the pool and waits until it is gone. */
  terminateAll(): Promise<void>
}

export function openInstances({
  stateDir,
  owner,
  clock,
  logger,
  mayAct = () => true,
}: Pick<ProviderContext, 'stateDir' | 'owner' | 'clock' | 'logger' | 'mayAct'>): LocalInstances {
  const folder = openPoolFolder(stateDir)
  /** Exit reasons of the VMs that this process started; undefined while they run. */
  const watched = new Map<string, string | undefined>()
  const terminating = new Map<string, Promise<void>>()
  /** The processes end with the provider: nobody else could end them. */
  let isClosing = false
  const mayEnd = () => isClosing || mayAct()

  function read(id: string): InstanceRecord | undefined {
    return folder.exists(id) ? readRecord(folder.root(id)) : undefined
  }

  /** Also true until the exit status of a VM of this process has arrived. */
  function isRunning(record: InstanceRecord): boolean {
    return (watched.has(record.id) && watched.get(record.id) === undefined) || scriptRuns(record)
  }

  function save(record: InstanceRecord): InstanceRecord {
    writeRecord(folder.root(record.id), record)
    if (record.ended && record.terminateAt !== undefined) folder.strip(record.id)
    return record
  }

  function settle(record: InstanceRecord): InstanceRecord {
    if (record.ended || isRunning(record)) return record
    // The script is the VM: processes that it leaves behind are terminated with it.
    if (leftBehind(folder.root(record.id)).length > 0) {
      beginTermination(record)
      return record
    }
    const reason = watched.get(record.id) ?? 'exited while no provisioner was running'
    logger.info('local instance terminated', { id: record.id, reason })
    return save({ ...record, ended: { at: clock.now(), reason } })
  }

  function look(): { records: InstanceRecord[]; problems: Problem[] } {
    const records: InstanceRecord[] = []
    const problems: Problem[] = []
    for (const id of idsOr(problems))
      try {
        const record = read(id)
        if (!record || !isOwnedBy(record, owner)) continue
        const settled = settle(record)
        records.push(settled)
        if (settled.terminateAt !== undefined && !settled.ended) beginTermination(settled)
      } catch (error) {
        problems.push(localFailure(error, `read local instance ${id}`).problem)
      }
    for (const record of expiredRecords(records, clock.now())) folder.remove(record.id)
    return { records, problems }
  }

  function idsOr(problems: Problem[]): string[] {
    try {
      return folder.ids()
    } catch (error) {
      problems.push(localFailure(error, `list the local instances of pool ${owner.pool}`).problem)
      return []
    }
  }

  function end(id: string): void {
    const record = read(id)
    if (!record) return
    if (!isOwnedBy(record, owner))
      throw new ProvisionError(
        problem('PROVIDER_NOT_OURS', `local instance ${id} does not belong to this cluster and pool`),
      )
    const settled = settle(record)
    checkMayAct(mayEnd, `the termination of local instance ${id}`)
    const requested =
      settled.terminateAt === undefined ? save({ ...settled, terminateAt: clock.now() }) : settled
    if (!requested.ended) beginTermination(requested)
  }

  /**
   * Requests the termination and returns; the rest happens in the background, as in a cloud. An earlier request that was not carried
   * out waits until this process may act.
   */
  function beginTermination(record: InstanceRecord): void {
    if (terminating.has(record.id) || !mayEnd()) return
    signalInstance(record, folder.root(record.id), 'SIGTERM')
    terminating.set(record.id, Promise.resolve())
    const done = waitForExit(record.id)
      .catch((error: unknown) =>
        logger.error('local instance could not be terminated', { id: record.id, error }),
      )
      .finally(() => terminating.delete(record.id))
    terminating.set(record.id, done)
  }

  async function waitForExit(id: string): Promise<void> {
    let deadline = clock.now() + graceMs
    let killed = false
    for (;;) {
      const record = read(id)
      if (!record || settle(record).ended) return
      if (clock.now() >= deadline) {
        if (killed) return logger.error('local instance does not exit', { id })
        signalInstance(record, folder.root(id), 'SIGKILL')
        killed = true
        deadline = clock.now() + graceMs
      }
      await clock.sleep(pollMs)
    }
  }

  return {
    folder,
    look,
    end,
    watch(record, ended) {
      watched.set(record.id, undefined)
      logger.info('local instance started', { id: record.id, pid: record.process.pid })
      void ended.then((reason) => {
        watched.set(record.id, reason)
        try {
          const current = read(record.id)
          if (current) settle(current)
        } catch (error) {
          logger.error('local instance terminated, but its record could not be written', {
            id: record.id,
            error,
          })
        }
      })
    },
    async terminateAll() {
      isClosing = true
      const { records, problems } = look()
      for (const { id } of records.filter((record) => !record.ended))
        try {
          end(id)
        } catch (error) {
          problems.push(localFailure(error, `terminate local instance ${id}`).problem)
        }
      await Promise.all(terminating.values())
      if (problems.length > 0) throw new ProvisionError(problems)
    },
  }
}

// How long the folder of a terminated VM is kept, for its console and to recognise its intent.

/** Milliseconds; longer than the 15 minutes in which a launch may be retried. */
const keepMs = 3_600_000
const keepLast = 20

/** Those that terminated more than an hour ago, except the last 20. */
export function expiredRecords(records: InstanceRecord[], now: number): InstanceRecord[] {
  const gone = records.flatMap((record) =>
    record.ended && record.terminateAt !== undefined ? [{ record, at: record.ended.at }] : [],
  )
  return gone
    .sort((a, b) => b.at - a.at)
    .slice(keepLast)
    .filter(({ at }) => now - at > keepMs)
    .map(({ record }) => record)
}

// The processes of a local VM: its script and all processes started by it; found again, and terminated as a whole.

export interface StartOptions {
  id: string
  root: string
  script: string
  /** File handle for standard out and standard error. */
  console: number
  env: Readonly<Record<string, string | undefined>>
  /** Passed in the environment only: it is in no file. */
  joinSecret?: string | undefined
}

/** Throws the errno error of the spawn. */
export function startInstance(options: StartOptions): Promise<GatedProcess> {
  return startGated({
    // When stdin is a socket, as Node's pipes are, bash assumes rsh and reads the user's ~/.bashrc.
    shell: ['bash', '--norc'],
    body: 'exec bash "$1" </dev/null',
    args: [options.script],
    cwd: options.root,
    env: instanceEnvironment(options),
    stdout: options.console,
    stderr: options.console,
  })
}

export function scriptRuns({ process }: InstanceRecord): boolean {
  return processStart(process.pid) === process.start
}

/** Ids of the processes that a finished script left behind. */
export function leftBehind(root: string): number[] {
  return processesWith(rootVariable(root))
}

/** Signals every process of the VM once. Throws the errno error when the system does not permit it. */
export function signalInstance(record: InstanceRecord, root: string, signal: 'SIGTERM' | 'SIGKILL'): void {
  const group = scriptRuns(record) ? record.process.pid : undefined
  // Processes that left the group (setsid) are signalled too, as a power-off would terminate them.
  const others = leftBehind(root).filter((pid) => processGroup(pid) !== group)
  for (const pid of group === undefined ? others : [-group, ...others]) sendSignal(pid, signal)
}

/** Such as `exit status 32: tls_refused, nothing listens on the master port`. */
export function reasonOf({ code, signal }: ProcessEnd): string {
  if (signal) return `killed by ${signal}`
  const stage = Object.entries(failureStages).find(([, info]) => info.exit === code)
  return `exit status ${code}${stage ? `: ${stage[0]}, ${stage[1].meaning}` : ''}`
}

// Errors of this machine, in the classes that every provider uses.

/** errno codes for a lack of resources (errno(3)). */
const resourceErrors: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: "the user's disk quota is used up",
  EAGAIN: 'process limit reached',
  ENOMEM: 'out of memory',
  EMFILE: 'this process has too many open files',
  ENFILE: 'this machine has too many open files',
}
const forbidden: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  EEXIST: 'the path already exists',
  ENOTDIR: 'a file is where a folder is expected',
  ELOOP: 'a link is where a file or folder is expected',
}

/** `doing` completes "could not …", such as `start local instance local-1a2b3c4d-1`. */
export function localFailure(error: unknown, doing: string): Failure {
  const own = ownFailure(error)
  if (own) return own
  const { code = '', message, path, syscall } = error as NodeJS.ErrnoException
  const text = (why: string) => `could not ${doing}: ${why}${path ? ` (${path})` : ''}`
  const options = { cause: error, details: { errno: code } }
  if (syscall?.startsWith('spawn') && code === 'ENOENT')
    return { class: 'config', problem: problem('LOCAL_NO_BASH', text('bash not found'), options) }
  if (Object.hasOwn(resourceErrors, code))
    return { class: 'capacity', problem: problem('LOCAL_MACHINE_FULL', text(resourceErrors[code]!), options) }
  if (Object.hasOwn(forbidden, code))
    return { class: 'config', problem: problem('LOCAL_NOT_PERMITTED', text(forbidden[code]!), options) }
  return { class: 'transient', problem: problem('PROVIDER_TRANSIENT', text(message), options) }
}
