// VMs that are processes on this machine: the rendered script itself runs, in a root directory of its own.
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { lastStage, type Stage } from '../../agent-setup/stages.ts'
import { limit } from '../../platform/limit.ts'
import { ProvisionError } from '../../problems/problem.ts'
import type { Provider, ProviderContext } from '../contract.ts'
import type { LaunchOrder, LaunchResult, Listing, TerminateResult } from '../launch.ts'
import { launchVm } from './launch-vm.ts'
import { localFailure } from './local-failure.ts'
import { instanceIds, isInstanceId } from './names.ts'
import { instanceOf } from './vm-record.ts'
import { openVms, type Vms } from './vms.ts'

/** Bytes of a console kept between two reads: longer than any stage line. */
const overlap = 128

export async function create(context: ProviderContext): Promise<Provider> {
  const vms = openPool(context)
  // Launches one after the other, so that the same intent sent twice at once finds what the first call made.
  const alone = limit(1)
  return {
    kind: 'local',
    list: async (signal) => list(vms, signal),
    launch: (order, signal) => alone(() => launch(order, vms, context, signal)),
    terminate: async (ids, signal) => terminate(ids, vms, signal),
    slotsOf: async (type) =>
      'slots' in context.config && type === 'local' ? context.config.slots : undefined,
    consoleStage: (id) => consoleStage(id, vms),
    close: () => alone(() => vms.endAll()),
  }
}

function openPool(context: ProviderContext): Vms {
  try {
    return openVms(context)
  } catch (error) {
    throw new ProvisionError(
      localFailure(error, `open the folder of local pool ${context.owner.pool}`).problem,
    )
  }
}

function list(vms: Vms, signal?: AbortSignal): Listing {
  signal?.throwIfAborted()
  const { records, problems } = vms.look()
  const instances = records.map(instanceOf).filter((instance) => instance.state !== 'terminated')
  return { instances, complete: problems.length === 0, problems }
}

async function launch(
  order: LaunchOrder,
  vms: Vms,
  context: ProviderContext,
  signal?: AbortSignal,
): Promise<LaunchResult> {
  const result: LaunchResult = { instances: [], failures: [] }
  for (const id of instanceIds(order.intent)) {
    signal?.throwIfAborted()
    try {
      const { record, ended } = await launchVm(id, order, vms.folder, context)
      if (ended) vms.watch(record, ended)
      result.instances.push(instanceOf(record))
    } catch (error) {
      const missing = order.intent.count - result.instances.length
      result.failures.push({ ...localFailure(error, `start local VM ${id}`), missing })
      break
    }
  }
  return result
}

function terminate(ids: string[], vms: Vms, signal?: AbortSignal): TerminateResult {
  signal?.throwIfAborted()
  const result: TerminateResult = { terminated: [], failures: [] }
  for (const id of ids) {
    try {
      if (isInstanceId(id)) vms.end(id)
      result.terminated.push(id)
    } catch (error) {
      result.failures.push({ id, ...localFailure(error, `end local VM ${id}`) })
    }
  }
  return result
}

async function consoleStage(id: string, vms: Vms): Promise<Stage | undefined> {
  if (!isInstanceId(id) || !vms.folder.exists(id)) return undefined
  let stage: Stage | undefined
  let text = ''
  try {
    for await (const chunk of createReadStream(join(vms.folder.root(id), 'console.log'), 'utf8')) {
      text = text.slice(-overlap) + chunk
      stage = lastStage(text) ?? stage
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ProvisionError(localFailure(error, `read the console of local VM ${id}`).problem)
  }
  return stage
}
