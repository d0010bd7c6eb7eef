// Terminates VMs of a pool on a cloud: foreign ones are left alone, and one that cannot be terminated does not spare the rest.
import { problem } from '../problems/problem.ts'
import type { Ownership, TerminateResult } from './contract.ts'
import type { FailureOf } from './failure.ts'

/** What differs between clouds. */
export interface TerminateRules<Vm, Target> {
  owner: Ownership
  /** Those of the VMs that the cloud knows, by id. */
  look(): Promise<Map<string, Vm>>
  isOurs(vm: Vm, owner: Ownership): boolean
  /**
   * What the call to terminate it needs; undefined when it is gone. `vm` is undefined when the cloud does not show it, as
   * may happen with a new one.
   */
  targetOf(id: string, vm: Vm | undefined): Target | undefined
  /** Terminates them and adds to the result what came of each. */
  end(targets: Target[], result: TerminateResult): Promise<void>
  failureOf: FailureOf
}

/** Rejects with the reason of `signal` once that is aborted. */
export async function terminateOwn<Vm, Target>(
  ids: string[],
  rules: TerminateRules<Vm, Target>,
  signal?: AbortSignal,
): Promise<TerminateResult> {
  const { owner } = rules
  signal?.throwIfAborted()
  let known: Map<string, Vm>
  try {
    known = await rules.look()
  } catch (error) {
    signal?.throwIfAborted()
    const failure = rules.failureOf(error, `look at the VMs to end in pool ${owner.pool}`)
    return { terminated: [], failures: ids.map((id) => ({ id, ...failure })) }
  }
  const result: TerminateResult = { terminated: [], failures: [] }
  const targets: Target[] = []
  for (const id of ids) {
    const vm = known.get(id)
    const isForeign = vm && !rules.isOurs(vm, owner)
    const target = isForeign ? undefined : rules.targetOf(id, vm)
    if (isForeign) result.failures.push(notOurs(id, owner))
    else if (target === undefined) result.terminated.push(id)
    else targets.push(target)
  }
  await rules.end(targets, result)
  return result
}

function notOurs(id: string, { clusterId, pool }: Ownership): TerminateResult['failures'][number] {
  const message = `${id} was not ended: it is no VM of pool ${pool} in cluster ${clusterId}`
  return { id, class: 'config', problem: problem('PROVIDER_NOT_OURS', message, { details: { id } }) }
}
