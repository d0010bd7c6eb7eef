// Carries out a launch: the steps of the request in order, each once, the next only for what the one before had no room for.
import type { FailureClass, Instance } from '../../planner/instance.ts'
import { isError, ProvisionError } from '../../problems/problem.ts'
import { type LaunchFailure, type LaunchOrder, type LaunchResult, withMissing } from '../launch.ts'
import { gceFailure } from './gce-failure.ts'
import { type LaunchStep, withCount } from './launch-steps.ts'
import type { GcpLaunch } from './request.ts'
import { type StepContext, sendStep } from './send-step.ts'

export interface LaunchContext extends StepContext {
  /** The request with everything known that only Google Cloud can tell. */
  prepare(order: LaunchOrder, signal?: AbortSignal): Promise<GcpLaunch>
}

/** What another way of buying may not meet. */
const goesOn: FailureClass[] = ['capacity', 'quota']

export async function launchVms(
  order: LaunchOrder,
  context: LaunchContext,
  signal?: AbortSignal,
): Promise<LaunchResult> {
  signal?.throwIfAborted()
  const { count } = order.intent
  const instances: Instance[] = []
  const failures: LaunchFailure[] = []
  let launch: GcpLaunch
  try {
    launch = await context.prepare(order, signal)
    const refused = launch.problems.filter(isError)
    if (refused.length) throw new ProvisionError(refused)
  } catch (error) {
    signal?.throwIfAborted()
    const failure = gceFailure(error, `prepare the launch of ${count} VMs in pool ${order.owner.pool}`)
    return { instances, failures: [{ ...failure, missing: count }] }
  }
  let exhausted: LaunchStep | undefined
  for (const step of launch.steps) {
    if (exhausted && sameOfferings(exhausted, step)) continue
    const asked = withCount(step, count - instances.length)
    const outcome = await sendStep(asked, order, context, signal)
    instances.push(...outcome.instances)
    failures.push(...outcome.failures)
    const enough = outcome.instances.length >= asked.names.length
    if (instances.length >= count || !mayGoOn(outcome.failures)) break
    // Fewer than asked for without a reason is no refusal.
    if (!enough && !outcome.failures.length) break
    if (outcome.failures.length) exhausted = step
  }
  return { instances, failures: withMissing(failures, count - instances.length) }
}

/** After any other failure, nobody knows whether something was launched, or nothing will be. */
function mayGoOn(failures: LaunchFailure[]): boolean {
  return failures.every((failure) => goesOn.includes(failure.class))
}

function sameOfferings(one: LaunchStep, other: LaunchStep): boolean {
  return one.offerings[0] === other.offerings[0]
}
