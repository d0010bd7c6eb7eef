// Ends VMs of ours: foreign ones are left alone, one that cannot be ended does not spare the rest.
import type { Instance as Ec2Instance } from '@aws-sdk/client-ec2'
import { problem } from '../../problems/problem.ts'
import type { TerminateResult } from '../launch.ts'
import type { Ownership } from '../ownership.ts'
import type { Ec2Api } from './ec2-api.ts'
import { codeOf, ec2Failure } from './errors.ts'
import { isOurs } from './instances.ts'
import { chunks, instancePages } from './pages.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html, and of values in a filter. */
const largestBatch = 1000
const filterValues = 200

export interface TerminateInput {
  api: Ec2Api
  owner: Ownership
  ids: string[]
  /** Launched by this provider a moment ago: ours, although EC2 may not show it yet. */
  isNew: (id: string) => boolean
  signal?: AbortSignal | undefined
}

export async function terminatePool(input: TerminateInput): Promise<TerminateResult> {
  const { ids, owner, signal } = input
  signal?.throwIfAborted()
  const result: TerminateResult = { terminated: [], failures: [] }
  let known: Map<string, Ec2Instance>
  try {
    known = await look(input)
  } catch (error) {
    signal?.throwIfAborted()
    const failure = ec2Failure(error, `look at the VMs to end in pool ${owner.pool}`)
    return { terminated: [], failures: ids.map((id) => ({ id, ...failure })) }
  }
  const toEnd: string[] = []
  for (const id of ids) {
    const instance = known.get(id)
    if (instance && !isOurs(instance, owner)) result.failures.push(notOurs(id, owner))
    else if (instance ? !isGone(instance) : input.isNew(id)) toEnd.push(id)
    else result.terminated.push(id)
  }
  for (const batch of chunks(toEnd, largestBatch)) await end(input, batch, result)
  return result
}

/** By filter, because `InstanceIds` fails as a whole over one unknown id. */
async function look({ api, ids, signal }: TerminateInput): Promise<Map<string, Ec2Instance>> {
  const known = new Map<string, Ec2Instance>()
  for (const Values of chunks(ids, filterValues))
    for await (const page of instancePages(api, { Filters: [{ Name: 'instance-id', Values }] }, signal))
      for (const instance of page) known.set(instance.InstanceId ?? '', instance)
  return known
}

/**
 * EC2 refuses a batch over a single VM that is protected or unknown and names it; it has ended none, or those of other
 * zones. Those named are reported, the rest is asked for again, in halves when nothing was named.
 */
async function end(input: TerminateInput, batch: string[], result: TerminateResult): Promise<void> {
  if (!batch.length) return
  try {
    await input.api.terminateInstances({ InstanceIds: batch }, input.signal)
    result.terminated.push(...batch)
  } catch (error) {
    input.signal?.throwIfAborted()
    const failure = ec2Failure(error, 'end VMs')
    const named = batch.filter((id) => String(error instanceof Error && error.message).includes(id))
    const refused = batch.length === 1 ? batch : named
    const aboutOne = failure.class === 'config' || codeOf(error) === 'InvalidInstanceID.NotFound'
    if (!aboutOne) return void result.failures.push(...batch.map((id) => ({ id, ...failure })))
    result.failures.push(...refused.map((id) => ({ id, ...ec2Failure(error, `end VM ${id}`) })))
    const rest = batch.filter((id) => !refused.includes(id))
    const parts = named.length ? [rest] : chunks(rest, Math.ceil(rest.length / 2))
    for (const part of parts) await end(input, part, result)
  }
}

function isGone({ State }: Ec2Instance): boolean {
  return State?.Name === 'terminated' || State?.Name === 'shutting-down'
}

function notOurs(id: string, { clusterId, pool }: Ownership): TerminateResult['failures'][number] {
  const message = `${id} was not ended: it is no VM of pool ${pool} in cluster ${clusterId}`
  return { id, class: 'config', problem: problem('PROVIDER_NOT_OURS', message, { details: { id } }) }
}
