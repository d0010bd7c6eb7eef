// Carries out a launch: its steps in order, each once; every step asks only for the VMs that earlier steps did not
// launch.
import type { Instance } from '../planner/index.ts'
import { isError, type Problem, ProvisionError, problem } from '../problems/index.ts'
import type { LaunchFailure, LaunchOrder, LaunchResult, Ownership, TerminateResult } from './contract.ts'
import type { Failure, FailureOf } from './failure.ts'

export interface StepOutcome {
  instances: Instance[]
  failures: LaunchFailure[]
}

/** Of a launch that `mayAct` stopped. `isUnknown`: an earlier attempt of it may have taken effect. */
export function stopped(failure: Failure, isUnknown: boolean): LaunchFailure {
  return { ...failure, missing: 0, ...(isUnknown ? {} : { notSent: true }) }
}

/** The parts that differ between clouds. */
export interface StepRules<Step> {
  /** The steps in the order they are tried, with all values that only the cloud knows. */
  prepare(): Promise<{ steps: Step[]; problems: Problem[] }>
  /** The same step for at most `count` VMs. */
  withCount(step: Step, count: number): Step
  /** Rejects only when the launch is aborted. */
  send(step: Step): Promise<StepOutcome>
  /** Whether the next step may launch VMs that this one, which was sent as `asked`, did not. */
  mayContinue(outcome: StepOutcome, asked: Step): boolean
  /** Whether `next` asks for what has just been refused, and is skipped; default: never. */
  asksForSame?(refused: Step, next: Step): boolean
  failureOf: FailureOf
}

/** Rejects with the reason of `signal` once that is aborted; any other failure is part of the result. */
export async function runSteps<Step>(
  { intent: { count }, owner }: LaunchOrder,
  rules: StepRules<Step>,
  signal?: AbortSignal,
): Promise<LaunchResult> {
  signal?.throwIfAborted()
  let steps: Step[]
  try {
    const prepared = await rules.prepare()
    const refused = prepared.problems.filter(isError)
    if (refused.length) throw new ProvisionError(refused)
    steps = prepared.steps
  } catch (error) {
    signal?.throwIfAborted()
    const failure = rules.failureOf(error, `prepare the launch of ${count} instances in pool ${owner.pool}`)
    return { instances: [], failures: [{ ...failure, missing: count }] }
  }
  const instances: Instance[] = []
  const failures: LaunchFailure[] = []
  let refused: Step | undefined
  for (const step of steps) {
    if (refused && rules.asksForSame?.(refused, step)) continue
    const asked = rules.withCount(step, count - instances.length)
    const outcome = await rules.send(asked)
    instances.push(...outcome.instances)
    failures.push(...outcome.failures)
    if (instances.length >= count || !rules.mayContinue(outcome, asked)) break
    if (outcome.failures.length) refused = step
  }
  return { instances, failures: withMissing(failures, count - instances.length) }
}

/**
 * Failures are about offerings, not VMs: the VMs that are still missing are counted once, in the last failure; in one of unknown
 * outcome if there is any, because they may exist.
 */
function withMissing(failures: LaunchFailure[], missing: number): LaunchFailure[] {
  const unknown = failures.findLastIndex((failure) => failure.class === 'transient' && !failure.notSent)
  const at = unknown >= 0 ? unknown : failures.length - 1
  return failures.map((failure, index) => ({ ...failure, missing: index === at ? Math.max(0, missing) : 0 }))
}

// Terminates VMs of a pool on a cloud. Foreign ones are rejected, and one failure does not stop the rest.

/** The owner of the instances; without a pool, the whole cluster. */
export interface Owner {
  clusterId: string
  pool?: string
}

/** The parts that differ between clouds. */
export interface TerminateRules<Vm, Target, O extends Owner = Ownership> {
  owner: O
  /** The VMs that the cloud knows, by id. */
  find(): Promise<Map<string, Vm>>
  isManaged(vm: Vm, owner: O): boolean
  /**
   * What the terminate call needs; undefined when the VM is gone. `vm` is undefined when the cloud does not show it, which
   * may happen with a new one.
   */
  targetOf(id: string, vm: Vm | undefined): Target | undefined
  /** Terminates them and adds each outcome to the result. */
  terminate(targets: Target[], result: TerminateResult): Promise<void>
  failureOf: FailureOf
}

/** Rejects with the reason of `signal` once that is aborted. */
export async function terminateOwn<Vm, Target, O extends Owner = Ownership>(
  ids: string[],
  rules: TerminateRules<Vm, Target, O>,
  signal?: AbortSignal,
): Promise<TerminateResult> {
  const { owner } = rules
  signal?.throwIfAborted()
  let known: Map<string, Vm>
  try {
    known = await rules.find()
  } catch (error) {
    signal?.throwIfAborted()
    const failure = rules.failureOf(error, `find the instances to terminate in ${nameOf(owner)}`)
    return { terminated: [], failures: ids.map((id) => ({ id, ...failure })) }
  }
  const result: TerminateResult = { terminated: [], failures: [] }
  const targets: Target[] = []
  for (const id of ids) {
    const vm = known.get(id)
    const isForeignVm = vm && !rules.isManaged(vm, owner)
    const target = isForeignVm ? undefined : rules.targetOf(id, vm)
    if (isForeignVm) result.failures.push(foreign(id, owner))
    else if (target === undefined) result.terminated.push(id)
    else targets.push(target)
  }
  await rules.terminate(targets, result)
  return result
}

function nameOf({ clusterId, pool }: Owner): string {
  return pool === undefined ? `cluster ${clusterId}` : `pool ${pool} in cluster ${clusterId}`
}

function foreign(id: string, owner: Owner): TerminateResult['failures'][number] {
  const message = `${id} was not terminated: it is not an instance of ${nameOf(owner)}`
  return { id, class: 'config', problem: problem('PROVIDER_NOT_OURS', message, { details: { id } }) }
}
