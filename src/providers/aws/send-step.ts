// One launch call, with patience for what passes by itself, and its answer as VMs and refusals.
import type { CreateFleetError, CreateFleetInstance } from '@aws-sdk/client-ec2'
import type { FailureClass, Instance, Offering } from '../../planner/instance.ts'
import type { Clock } from '../../platform/ports.ts'
import type { LaunchFailure, LaunchOrder } from '../launch.ts'
import type { Ec2Api } from './ec2-api.ts'
import { codeOf, ec2Failure, refusal } from './errors.ts'
import { instanceOf } from './instances.ts'
import type { LaunchStep } from './launch-steps.ts'
import { spent } from './spent-token.ts'
import type { Templates } from './templates.ts'

export interface StepContext {
  api: Ec2Api
  clock: Clock
  templates: Templates
}

export interface StepOutcome {
  instances: Instance[]
  failures: LaunchFailure[]
}

const attempts = 3
const passing: FailureClass[] = ['throttle', 'transient']

/** Sent again with the same token, so that an answer that got lost costs no second VM. */
export async function sendStep(
  step: LaunchStep,
  order: LaunchOrder,
  context: StepContext,
  signal?: AbortSignal,
): Promise<StepOutcome> {
  const doing = `launch ${describe(step)}`
  for (let attempt = 1; ; attempt++)
    try {
      return await send(step, order, context, signal)
    } catch (error) {
      signal?.throwIfAborted()
      const code = codeOf(error)
      if (code.startsWith('Idempotent')) return spent(code, order, context, signal)
      if (code === 'InvalidLaunchTemplateName.NotFoundException' && step.call === 'CreateFleet')
        context.templates.forget(step.template)
      else if (!passing.includes(ec2Failure(error, doing).class)) return refused(step, error, doing)
      if (attempt === attempts) return refused(step, error, doing)
      await context.clock.sleep(1000 * 2 ** (attempt - 1), signal)
    }
}

async function send(
  step: LaunchStep,
  order: LaunchOrder,
  { api, templates, clock }: StepContext,
  signal?: AbortSignal,
) {
  if (step.call === 'RunInstances') {
    const { Instances = [] } = await api.runInstances(step.request, signal)
    return { instances: Instances.map(instanceOf), failures: [] }
  }
  await templates.ensure(step.template, signal)
  const { Instances = [], Errors = [] } = await api.createFleet(step.request, signal)
  return {
    instances: Instances.flatMap((group) => fleetInstances(group, order, clock.now())),
    failures: fleetFailures(Errors, step.offerings),
  }
}

/** A fleet answers with ids only; the rest is known from what was asked. */
function fleetInstances(group: CreateFleetInstance, { owner, intent }: LaunchOrder, now: number): Instance[] {
  return (group.InstanceIds ?? []).map((id) => ({
    id,
    pool: owner.pool,
    state: 'starting',
    launchedAt: now,
    instanceType: group.InstanceType ?? '',
    zone: group.AvailabilityZone ?? '',
    capacityType: group.Lifecycle === 'spot' ? 'spot' : 'on_demand',
    intentId: intent.id,
    writerId: owner.writerId,
  }))
}

/** One for each offering and reason: a fleet repeats itself, and its errors count offerings, not VMs. */
function fleetFailures(errors: CreateFleetError[], offerings: Offering[]): LaunchFailure[] {
  const failures = new Map<string, LaunchFailure>()
  for (const { LaunchTemplateAndOverrides, ErrorCode = 'Unknown', ErrorMessage = '' } of errors) {
    const { InstanceType, SubnetId = '' } = LaunchTemplateAndOverrides?.Overrides ?? {}
    const offering = offerings.find(
      (one) => one.instanceType === InstanceType && (!one.zone || one.zone === SubnetId),
    )
    const doing = `launch ${offering ? nameOf(offering) : 'a fleet'}`
    const failure = {
      ...refusal(ErrorCode, ErrorMessage, doing),
      missing: 0,
      ...(offering ? { offering } : {}),
    }
    failures.set(`${ErrorCode} ${InstanceType} ${SubnetId}`, failure)
  }
  return [...failures.values()]
}

function refused({ offerings }: LaunchStep, error: unknown, doing: string): StepOutcome {
  const [only, ...others] = offerings
  const failure = { ...ec2Failure(error, doing), missing: 0 }
  return { instances: [], failures: [others.length ? failure : { ...failure, offering: only! }] }
}

function describe({ offerings }: LaunchStep): string {
  return offerings.length === 1 ? nameOf(offerings[0]!) : `a fleet of ${offerings.length} offerings`
}

function nameOf({ instanceType, zone, capacityType }: Offering): string {
  return `${capacityType === 'spot' ? 'spot ' : ''}${instanceType}${zone ? ` in ${zone}` : ''}`
}
