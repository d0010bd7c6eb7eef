// Carries out a launch: its steps in order, each once, the next only for the VMs that the steps before it did not give.
import type { Instance } from '../planner/instance.ts'
import { isError, type Problem, ProvisionError } from '../problems/problem.ts'
import type { LaunchFailure, LaunchOrder, LaunchResult } from './contract.ts'
import type { FailureOf } from './failure.ts'

export interface StepOutcome {
  instances: Instance[]
  failures: LaunchFailure[]
}

/** What differs between clouds. */
export interface StepRules<Step> {
  /** The steps in the order they are tried, with everything known that only the cloud can tell. */
  prepare(): Promise<{ steps: Step[]; problems: Problem[] }>
  /** The same step for so many VMs at most. */
  withCount(step: Step, count: number): Step
  /** Rejects only when the launch is aborted. */
  send(step: Step): Promise<StepOutcome>
  /** Whether the next step may give VMs that this one, which was sent as `asked`, did not. */
  mayGoOn(outcome: StepOutcome, asked: Step): boolean
  /** Whether `next` asks for what was just refused, so that it is passed over; default: never. */
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
    const failure = rules.failureOf(error, `prepare the launch of ${count} VMs in pool ${owner.pool}`)
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
    if (instances.length >= count || !rules.mayGoOn(outcome, asked)) break
    if (outcome.failures.length) refused = step
  }
  return { instances, failures: withMissing(failures, count - instances.length) }
}

/** Failures are about offerings, not VMs: what is missing in the end is the last one's, once. */
function withMissing(failures: LaunchFailure[], missing: number): LaunchFailure[] {
  return failures.map((failure, index) => ({
    ...failure,
    missing: index === failures.length - 1 ? Math.max(0, missing) : 0,
  }))
}
