// Deletes VMs of ours, several at a time: foreign ones are left alone, one that cannot be deleted does not spare the rest.
import { randomUUID } from 'node:crypto'
import { limit } from '../../platform/limit.ts'
import { problem } from '../../problems/problem.ts'
import type { TerminateResult } from '../launch.ts'
import type { Ownership } from '../ownership.ts'
import type { GceApi, GceInstance } from './gce-api.ts'
import { gceFailure, isNotFound } from './gce-failure.ts'
import { isName, isOurs, lastPart, namesFilter } from './instances.ts'
import { allInstances } from './pages.ts'

/** So many names keep the URL of a question short. */
const namesAtOnce = 50
/** Deletes in flight; 1,500 in a minute are allowed (https://cloud.google.com/compute/api-quota). */
const deletesAtOnce = 10

export interface TerminateInput {
  api: GceApi
  owner: Ownership
  project: string
  region: string
  ids: string[]
  /** Zone of a VM this provider launched a moment ago: ours, although a listing may not show it yet. */
  zoneOfNew: (id: string) => string | undefined
  signal?: AbortSignal | undefined
}

export async function terminatePool(input: TerminateInput): Promise<TerminateResult> {
  const { ids, owner, signal } = input
  signal?.throwIfAborted()
  const result: TerminateResult = { terminated: [], failures: [] }
  let known: Map<string, GceInstance>
  try {
    known = await look(input)
  } catch (error) {
    signal?.throwIfAborted()
    const failure = gceFailure(error, `look at the VMs to end in pool ${owner.pool}`)
    return { terminated: [], failures: ids.map((id) => ({ id, ...failure })) }
  }
  const few = limit(deletesAtOnce)
  await Promise.all(
    ids.map((id) => {
      const instance = known.get(id)
      const zone = lastPart(instance?.zone) || input.zoneOfNew(id)
      if (instance && !isOurs(instance, owner)) return void result.failures.push(notOurs(id, owner))
      if (!zone) return void result.terminated.push(id)
      return few(() => end(input, id, zone, result))
    }),
  )
  signal?.throwIfAborted()
  return result
}

async function look({
  api,
  project,
  region,
  ids,
  signal,
}: TerminateInput): Promise<Map<string, GceInstance>> {
  const names = ids.filter(isName)
  const known = new Map<string, GceInstance>()
  for (let from = 0; from < names.length; from += namesAtOnce) {
    const filter = namesFilter(names.slice(from, from + namesAtOnce))
    for (const instance of await allInstances(api, { project, region, filter }, signal))
      known.set(instance.name ?? '', instance)
  }
  return known
}

/** The request id is that of this order: one that failed inside its operation may be given again. */
async function end(input: TerminateInput, id: string, zone: string, result: TerminateResult): Promise<void> {
  const { api, project, signal } = input
  if (signal?.aborted) return
  try {
    await api.deleteInstance({ project, zone, instance: id, requestId: randomUUID() }, signal)
    result.terminated.push(id)
  } catch (error) {
    if (signal?.aborted) return
    if (isNotFound(error)) result.terminated.push(id)
    else result.failures.push({ id, ...gceFailure(error, `end VM ${id}`) })
  }
}

function notOurs(id: string, { clusterId, pool }: Ownership): TerminateResult['failures'][number] {
  const message = `${id} was not ended: it is no VM of pool ${pool} in cluster ${clusterId}`
  return { id, class: 'config', problem: problem('PROVIDER_NOT_OURS', message, { details: { id } }) }
}
