// A launch that EC2 says it has seen before: what it made is looked for, and nothing more is asked.
import type { Instance } from '../../planner/instance.ts'
import { problem } from '../../problems/problem.ts'
import type { LaunchOrder } from '../launch.ts'
import { ec2Failure } from './errors.ts'
import { instanceOf, intentFilter, ownerFilters } from './instances.ts'
import { instancePages } from './pages.ts'
import type { StepContext, StepOutcome } from './send-step.ts'

/** New VMs are shown late. */
const looks = 3
const betweenMs = 5000

/**
 * The token was used with other parameters (an image has moved on since), or for VMs that have ended. Either way the
 * launch has happened, and asking again under another token could only make more: its VMs are the answer, ended ones
 * too. While none is to be seen, nobody knows.
 */
export async function spent(
  code: string,
  order: LaunchOrder,
  context: StepContext,
  signal?: AbortSignal,
): Promise<StepOutcome> {
  const { id } = order.intent
  try {
    const mayAppear = code === 'IdempotentParameterMismatch' ? looks : 1
    for (let look = 1; look <= mayAppear; look++) {
      if (look > 1) await context.clock.sleep(betweenMs, signal)
      const instances = await madeBy(order, context, signal)
      if (instances.length) return { instances, failures: [] }
    }
  } catch (error) {
    signal?.throwIfAborted()
    const failure = ec2Failure(error, `look for the VMs of launch ${id}`)
    return { instances: [], failures: [{ ...failure, missing: 0 }] }
  }
  const message = `launch ${id} was carried out before, and EC2 shows none of its VMs: ${code}`
  const spentProblem = problem('PROVIDER_LAUNCH_SPENT', message)
  return { instances: [], failures: [{ class: 'transient', missing: 0, problem: spentProblem }] }
}

async function madeBy(
  { owner, intent }: LaunchOrder,
  { api }: StepContext,
  signal?: AbortSignal,
): Promise<Instance[]> {
  const made: Instance[] = []
  const Filters = [...ownerFilters(owner), intentFilter(intent.id)]
  for await (const page of instancePages(api, { Filters }, signal)) made.push(...page.map(instanceOf))
  return made
}
