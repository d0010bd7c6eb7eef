// Starts one local VM: written down first, started second, so that a crash in between leaves nothing running.
import { closeSync } from 'node:fs'
import { join } from 'node:path'
import type { Offering } from '../../planner/instance.ts'
import type { GatedProcess } from '../../platform/processes.ts'
import { ProvisionError, problem } from '../../problems/problem.ts'
import type { ProviderContext } from '../contract.ts'
import type { LaunchOrder } from '../launch.ts'
import { ownerTags, ownerTagsOf } from '../ownership.ts'
import type { PoolFolder } from './vm-folder.ts'
import { reasonOf, startVm } from './vm-process.ts'
import { readRecord, type VmRecord, writeRecord } from './vm-record.ts'

export interface Launched {
  record: VmRecord
  /** Settles with the reason when it ends; undefined when it had been started before. */
  ended?: Promise<string>
}

/** The VM of this name and order: a new one, or the one an earlier call of the same order made. */
export async function launchVm(
  id: string,
  order: LaunchOrder,
  folder: PoolFolder,
  context: Pick<ProviderContext, 'env' | 'clock'>,
): Promise<Launched> {
  const known = folder.exists(id) ? readRecord(folder.root(id)) : undefined
  if (known) {
    refuseOtherIntent(known, order)
    return { record: known }
  }
  const root = folder.create(id, order.userData.script)
  try {
    return await start(newRecord(id, order, context.clock.now()), root, folder, context)
  } catch (error) {
    folder.remove(id)
    throw error
  }
}

async function start(
  record: Omit<VmRecord, 'process'>,
  root: string,
  folder: PoolFolder,
  { env }: Pick<ProviderContext, 'env'>,
): Promise<Launched> {
  const console = folder.openConsole(record.id)
  let waiting: GatedProcess | undefined
  try {
    waiting = await startVm({ id: record.id, root, script: join(root, 'script'), console, env })
    const started = { ...record, process: { pid: waiting.pid, start: waiting.start } }
    writeRecord(root, started)
    waiting.release()
    return { record: started, ended: waiting.ended.then(reasonOf) }
  } catch (error) {
    waiting?.abandon()
    throw error
  } finally {
    closeSync(console)
  }
}

function newRecord(id: string, { intent, owner }: LaunchOrder, now: number): Omit<VmRecord, 'process'> {
  const offering: Omit<Offering, 'slots'> = intent.offerings[0] ?? {
    instanceType: 'local',
    zone: '',
    capacityType: 'on_demand',
  }
  return {
    id,
    tags: ownerTagsOf(owner, intent.id),
    instanceType: offering.instanceType,
    zone: offering.zone,
    capacityType: offering.capacityType,
    launchedAt: now,
  }
}

/** Eight hex digits of two intents may agree; a new attempt with a new intent gets new names. */
function refuseOtherIntent(record: VmRecord, { intent }: LaunchOrder): void {
  const other = record.tags[ownerTags.intent]
  if (other === intent.id) return
  throw new ProvisionError(
    problem('PROVIDER_NOT_OURS', `local VM ${record.id} exists already, for intent ${other ?? 'unknown'}`),
  )
}
