// Carries out a launch: the steps of the request in order, each once, the next only for what the one before had no room for.
import type { FailureClass, Instance } from '../../planner/instance.ts'
import { isError, ProvisionError } from '../../problems/problem.ts'
import { type LaunchFailure, type LaunchOrder, type LaunchResult, withMissing } from '../launch.ts'
import { ec2Failure } from './errors.ts'
import { withCount } from './launch-steps.ts'
import type { AwsLaunch } from './request.ts'
import { type StepContext, sendStep } from './send-step.ts'

export interface LaunchContext extends StepContext {
  /** The request with everything known that only AWS can tell. */
  prepare(order: LaunchOrder, signal?: AbortSignal): Promise<AwsLaunch>
}

/** What another way of buying may not meet. */
const goesOn: FailureClass[] = ['capacity', 'quota']
/** After these, nobody knows whether something was launched, or nothing will be. */
const stops: FailureClass[] = ['throttle', 'transient', 'auth']

export async function launchVms(
  order: LaunchOrder,
  context: LaunchContext,
  signal?: AbortSignal,
): Promise<LaunchResult> {
  signal?.throwIfAborted()
  const { count } = order.intent
  const instances: Instance[] = []
  const failures: LaunchFailure[] = []
  let launch: AwsLaunch
  try {
    launch = await context.prepare(order, signal)
    const refused = launch.problems.filter(isError)
    if (refused.length) throw new ProvisionError(refused)
  } catch (error) {
    signal?.throwIfAborted()
    const failure = ec2Failure(error, `prepare the launch of ${count} VMs in pool ${order.owner.pool}`)
    return { instances, failures: [{ ...failure, missing: count }] }
  }
  for (const step of launch.steps) {
    const outcome = await sendStep(withCount(step, count - instances.length), order, context, signal)
    instances.push(...outcome.instances)
    failures.push(...outcome.failures)
    if (instances.length >= count || !mayGoOn(outcome.failures)) break
  }
  return { instances, failures: withMissing(failures, count - instances.length) }
}

function mayGoOn(failures: LaunchFailure[]): boolean {
  const classes = failures.map((failure) => failure.class)
  return classes.some((one) => goesOn.includes(one)) && !classes.some((one) => stops.includes(one))
}
