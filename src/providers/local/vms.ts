// The local VMs of one pool: looked at, watched, ended; what is known about each stands in its record.

import { type Problem, ProvisionError, problem } from '../../problems/problem.ts'
import type { ProviderContext } from '../contract.ts'
import { localFailure } from './local-failure.ts'
import { tooOld } from './retention.ts'
import { openPoolFolder, type PoolFolder } from './vm-folder.ts'
import { leftBehind, scriptRuns, signalVm } from './vm-process.ts'
import { isOwnedBy, readRecord, type VmRecord, writeRecord } from './vm-record.ts'

/** Between the request to end and the order, as systemd's DefaultTimeoutStopSec but for one small agent. */
const graceMs = 10_000
const pollMs = 50

export interface Vms {
  readonly folder: PoolFolder
  /** Every record of ours, brought up to date; a VM that cannot be judged is a problem. */
  look(): { records: VmRecord[]; problems: Problem[] }
  /** Takes note of the end of a VM this process started. */
  watch(record: VmRecord, ended: Promise<string>): void
  /** Asks a VM to end, and sees to it. Unknown and ended ones are fine; foreign ones throw `PROVIDER_NOT_OURS`. */
  end(id: string): void
  /** Ends every VM of ours and waits for it. */
  endAll(): Promise<void>
}

export function openVms({ stateDir, owner, clock, logger }: ProviderContext): Vms {
  const folder = openPoolFolder(stateDir)
  /** Why those ended that this process started; undefined while they run. */
  const watched = new Map<string, string | undefined>()
  const ending = new Map<string, Promise<void>>()

  function read(id: string): VmRecord | undefined {
    return folder.exists(id) ? readRecord(folder.root(id)) : undefined
  }

  /** Its exit status may still be on the way to us. */
  function runs(record: VmRecord): boolean {
    return (watched.has(record.id) && watched.get(record.id) === undefined) || scriptRuns(record)
  }

  function save(record: VmRecord): VmRecord {
    writeRecord(folder.root(record.id), record)
    if (record.ended && record.terminateAt !== undefined) folder.strip(record.id)
    return record
  }

  function settle(record: VmRecord): VmRecord {
    if (record.ended || runs(record)) return record
    // The script is the VM: what it left behind goes with it.
    if (leftBehind(folder.root(record.id)).length > 0) {
      finish(record)
      return record
    }
    const reason = watched.get(record.id) ?? 'ended while no provisioner was watching'
    logger.info('local VM ended', { id: record.id, reason })
    return save({ ...record, ended: { at: clock.now(), reason } })
  }

  function look(): { records: VmRecord[]; problems: Problem[] } {
    const records: VmRecord[] = []
    const problems: Problem[] = []
    for (const id of idsOr(problems))
      try {
        const record = read(id)
        if (!record || !isOwnedBy(record, owner)) continue
        const settled = settle(record)
        records.push(settled)
        if (settled.terminateAt !== undefined && !settled.ended) finish(settled)
      } catch (error) {
        problems.push(localFailure(error, `look at local VM ${id}`).problem)
      }
    for (const record of tooOld(records, clock.now())) folder.remove(record.id)
    return { records, problems }
  }

  function idsOr(problems: Problem[]): string[] {
    try {
      return folder.ids()
    } catch (error) {
      problems.push(localFailure(error, `list the local VMs of pool ${owner.pool}`).problem)
      return []
    }
  }

  function end(id: string): void {
    const record = read(id)
    if (!record) return
    if (!isOwnedBy(record, owner))
      throw new ProvisionError(problem('PROVIDER_NOT_OURS', `local VM ${id} is not of this cluster and pool`))
    const settled = settle(record)
    const asked = settled.terminateAt === undefined ? save({ ...settled, terminateAt: clock.now() }) : settled
    if (!asked.ended) finish(asked)
  }

  /** Sends the request to end; the rest happens while the caller goes on, as in a cloud. */
  function finish(record: VmRecord): void {
    if (ending.has(record.id)) return
    signalVm(record, folder.root(record.id), 'SIGTERM')
    ending.set(record.id, Promise.resolve())
    const done = seeToItsEnd(record.id)
      .catch((error: unknown) => logger.error('local VM could not be ended', { id: record.id, error }))
      .finally(() => ending.delete(record.id))
    ending.set(record.id, done)
  }

  async function seeToItsEnd(id: string): Promise<void> {
    let deadline = clock.now() + graceMs
    let ordered = false
    for (;;) {
      const record = read(id)
      if (!record || settle(record).ended) return
      if (clock.now() >= deadline) {
        if (ordered) return logger.error('local VM does not end', { id })
        signalVm(record, folder.root(id), 'SIGKILL')
        ordered = true
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
      logger.info('local VM started', { id: record.id, pid: record.process.pid })
      void ended.then((reason) => {
        watched.set(record.id, reason)
        try {
          const current = read(record.id)
          if (current) settle(current)
        } catch (error) {
          logger.error('local VM ended, but its record could not be written', { id: record.id, error })
        }
      })
    },
    async endAll() {
      const { records, problems } = look()
      for (const { id } of records.filter((record) => !record.ended))
        try {
          end(id)
        } catch (error) {
          problems.push(localFailure(error, `end local VM ${id}`).problem)
        }
      await Promise.all(ending.values())
      if (problems.length > 0) throw new ProvisionError(problems)
    },
  }
}
