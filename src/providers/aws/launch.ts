// Carries out a launch on EC2: RunInstances for one offering, CreateFleet for several.
import type { FailureClass, Instance, Offering } from '../../planner/index.ts'
import { type Clock, type Logger, notSentIn, retry } from '../../platform/index.ts'
import { problem } from '../../problems/index.ts'
import type { LaunchFailure, LaunchOrder, LaunchResult, Ownership } from '../contract.ts'
import type { Failure } from '../failure.ts'
import { runSteps, type StepOutcome, stopped } from '../launch-steps.ts'
import {
  type CreateFleetError,
  type CreateFleetInstance,
  type CreateLaunchTemplateRequest,
  type Ec2Api,
  pages,
} from './client.ts'
import { codeOf, ec2Failure, isAboutCapacityType, refusal } from './errors.ts'
import { instanceOf, instancePages, intentFilter, ownerFilters } from './instances.ts'
import { type GroupMaker, groupMaker } from './placement-groups.ts'
import { type AwsLaunch, batchesOf, type LaunchStep, largestLaunch, withCount } from './request.ts'

export interface LaunchContext {
  api: Ec2Api
  clock: Clock
  templates: Templates
  /** Resolves when another launch may be sent in this region. */
  launchTurn(signal?: AbortSignal): Promise<void>
  /** The request with all values that only AWS knows. */
  prepare(order: LaunchOrder, signal?: AbortSignal): Promise<AwsLaunch>
  /** What to do when reserved capacity has no room; default: what EC2's error says. */
  reservedRemedy?: string | undefined
  /** Why nothing is launched into reserved capacity now; undefined: it may be tried. */
  reservedRefusal?(doing: string, signal?: AbortSignal): Promise<Failure | undefined>
}

/** Of one launch. */
interface SendContext extends LaunchContext {
  group: GroupMaker
}

export function launchInstances(
  order: LaunchOrder,
  given: LaunchContext,
  signal?: AbortSignal,
): Promise<LaunchResult> {
  const context: SendContext = { ...given, group: groupMaker(given.api, order.owner) }
  const rules = {
    prepare: () => context.prepare(order, signal),
    withCount,
    send: (step: LaunchStep) => sendStep(step, order, context, signal),
    mayContinue,
    failureOf: ec2Failure,
  }
  return runSteps(order, rules, signal)
}

/** Failures after which another capacity type or offering is tried. */
const continueAfter: FailureClass[] = ['capacity', 'quota']
/** After these it is unknown whether something was launched, or no launch can succeed. */
const stopAfter: FailureClass[] = ['throttle', 'transient', 'auth']

/**
 * A fleet reports each offering separately, so a mistake in one does not stop the others. A reservation that had some of the
 * instances reports no failure.
 */
function mayContinue({ failures }: StepOutcome, asked: LaunchStep): boolean {
  if (!failures.length) return asked.offerings[0]?.capacityType === 'reserved'
  const classes = failures.flatMap((failure) => (isAboutCapacityType(failure) ? [] : failure.class))
  const isElsewhere = classes.length < failures.length || classes.some((one) => continueAfter.includes(one))
  return isElsewhere && !classes.some((one) => stopAfter.includes(one))
}

const policy = { tries: 3, pauses: { first: 1_000, most: 2_000 } }
const retryable: FailureClass[] = ['throttle', 'transient']
const missingTemplate = 'InvalidLaunchTemplateName.NotFoundException'
/** Our own group: not visible yet, or deleted while it was empty. */
const missingGroup = 'InvalidPlacementGroup.Unknown'

/**
 * Sends a step in calls of at most 500 instances, each with its own token. A call is sent while the response to the one before
 * it is read, but only if all earlier ones were complete. The response to the one before does not decide: a repeated launch
 * sends the same calls, whichever response arrives first this time. Any other call would have a new token, and launch more.
 */
async function sendStep(
  step: LaunchStep,
  order: LaunchOrder,
  context: SendContext,
  signal?: AbortSignal,
): Promise<StepOutcome> {
  const sent: Promise<StepOutcome>[] = []
  async function sendAfter(earlier: Promise<StepOutcome>[], batch: LaunchStep): Promise<StepOutcome> {
    const outcomes = await Promise.all(earlier)
    const isFull = ({ instances, failures }: StepOutcome) =>
      failures.length === 0 && instances.length >= largestLaunch
    return outcomes.every(isFull) ? sendBatch(batch, order, context, signal) : { instances: [], failures: [] }
  }
  for (const batch of batchesOf(step)) sent.push(sendAfter(sent.slice(0, -1), batch))
  const outcomes = await Promise.all(sent)
  // By id: what a repeated batch finds of this launch may contain the instances of others.
  const instances = new Map(outcomes.flatMap((one) => one.instances).map((one) => [one.id, one]))
  return { instances: [...instances.values()], failures: outcomes.flatMap((one) => one.failures) }
}

/** Retries with the same token, so that a lost response never causes a second launch. */
async function sendBatch(
  step: LaunchStep,
  order: LaunchOrder,
  context: SendContext,
  signal?: AbortSignal,
): Promise<StepOutcome> {
  const doing = `launch ${describe(step)}`
  const isRetryable = (error: unknown) => {
    if (isReplayed(error)) return false
    if (step.call === 'CreateFleet' && codeOf(error) === missingTemplate) return true
    if (isWithoutGroup(step, error)) return true
    return retryable.includes(ec2Failure(error, doing).class)
  }
  /** An attempt had no answer, so that the launch may have taken effect. */
  let isUnknown = false
  const attempt = () =>
    send(step, order, context, signal).catch((error: unknown) => {
      isUnknown ||= !notSentIn(error) && ec2Failure(error, doing).class === 'transient'
      throw error
    })
  try {
    const { clock } = context
    if (step.offerings[0]?.capacityType === 'reserved') {
      const failure = await context.reservedRefusal?.(doing, signal)
      if (failure) return withOfferings(step, failure)
    }
    return await retry(attempt, { ...policy, isRetryable, clock, signal })
  } catch (error) {
    signal?.throwIfAborted()
    if (isReplayed(error)) return replayedLaunch(codeOf(error), order, context, signal)
    const failure = ec2Failure(error, doing)
    if (notSentIn(error)) return { instances: [], failures: [stopped(failure, isUnknown)] }
    return refused(step, failure, context)
  }
}

function isWithoutGroup(step: LaunchStep, error: unknown): boolean {
  return step.call === 'RunInstances' && step.group !== undefined && codeOf(error) === missingGroup
}

/** EC2 has seen the token before: that launch has taken effect. */
function isReplayed(error: unknown): boolean {
  return codeOf(error).startsWith('Idempotent')
}

async function send(
  step: LaunchStep,
  order: LaunchOrder,
  { api, templates, group, clock, launchTurn }: SendContext,
  signal?: AbortSignal,
) {
  await launchTurn(signal)
  if (step.call === 'RunInstances') {
    if (step.group) await group.ensure(step.group, signal)
    const { Instances = [] } = await api.runInstances(step.request, signal).catch((error) => {
      if (isWithoutGroup(step, error)) group.forget()
      throw error
    })
    return { instances: Instances.map(instanceOf), failures: [] }
  }
  await templates.ensure(step.template, signal)
  const { Instances = [], Errors = [] } = await api.createFleet(step.request, signal).catch((error) => {
    if (codeOf(error) === missingTemplate) templates.forget(step.template)
    throw error
  })
  return {
    instances: Instances.flatMap((group) => fleetInstances(group, order, clock.now())),
    failures: fleetFailures(Errors, step.offerings),
  }
}

/** A fleet returns only ids; the other values come from the request. */
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

/** One for each offering and reason: a fleet repeats its errors, and they count offerings, not VMs. */
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

function refused(step: LaunchStep, found: Failure, { reservedRemedy }: SendContext): StepOutcome {
  const { problem: why } = found
  const group = step.call === 'RunInstances' ? step.group : undefined
  if (group && why.details?.['code'] === missingGroup)
    return withOfferings(step, { ...found, class: 'transient' })
  const isReserved = step.offerings[0]?.capacityType === 'reserved'
  const remedy = group ? noRoomTogether : isReserved ? reservedRemedy : undefined
  const isFull = found.class === 'capacity' && remedy !== undefined
  return withOfferings(step, isFull ? { ...found, problem: { ...why, remedy } } : found)
}

const noRoomTogether =
  'No action is needed if capacity comes back. Otherwise add subnet_ids or instance_types, or remove placement_group, so that the instances need not be next to each other.'

function withOfferings({ offerings }: LaunchStep, found: Failure): StepOutcome {
  const failure = { ...found, missing: 0 }
  // Without an offering, the failure would apply to every capacity type.
  const perOffering = offerings.length === 1 || isAboutCapacityType(failure)
  return {
    instances: [],
    failures: perOffering ? offerings.map((offering) => ({ ...failure, offering })) : [failure],
  }
}

function describe(step: LaunchStep): string {
  const { offerings } = step
  if (offerings.length > 1) return `a fleet of ${offerings.length} offerings`
  const name = nameOf(offerings[0]!)
  return step.call === 'RunInstances' && step.group
    ? `${step.request.MaxCount} ${name} together in placement group ${step.group.GroupName}`
    : name
}

function nameOf({ instanceType, zone, capacityType }: Offering): string {
  return `${capacityType === 'on_demand' ? '' : `${capacityType} `}${instanceType}${zone ? ` in ${zone}` : ''}`
}

/** Attempts; new VMs appear with a delay. */
const maxAttempts = 3
const betweenMs = 5000

/**
 * The token was used before with other parameters (the image has changed since), or for VMs that have terminated. In
 * both cases the launch has happened, and a request with another token could only launch more: the result is its VMs,
 * including terminated ones. While EC2 shows none, the outcome is unknown.
 */
async function replayedLaunch(
  code: string,
  order: LaunchOrder,
  context: SendContext,
  signal?: AbortSignal,
): Promise<StepOutcome> {
  const { id } = order.intent
  try {
    const mayAppear = code === 'IdempotentParameterMismatch' ? maxAttempts : 1
    for (let attempt = 1; attempt <= mayAppear; attempt++) {
      if (attempt > 1) await context.clock.sleep(betweenMs, signal)
      const instances = await createdBy(order, context, signal)
      if (instances.length) return { instances, failures: [] }
    }
  } catch (error) {
    signal?.throwIfAborted()
    const failure = ec2Failure(error, `find the instances of launch ${id}`)
    return { instances: [], failures: [{ ...failure, missing: 0 }] }
  }
  const message = `launch ${id} was carried out before, but EC2 lists none of its instances: ${code}`
  const replayProblem = problem('PROVIDER_LAUNCH_SPENT', message)
  return { instances: [], failures: [{ class: 'transient', missing: 0, problem: replayProblem }] }
}

async function createdBy(
  { owner, intent }: LaunchOrder,
  { api }: LaunchContext,
  signal?: AbortSignal,
): Promise<Instance[]> {
  const created: Instance[] = []
  const Filters = [...ownerFilters(owner), intentFilter(intent.id)]
  for await (const { instances } of instancePages(api, { Filters }, signal))
    created.push(...instances.map(instanceOf))
  return created
}

// Launch templates of fleets: created once, found again by name, which is a hash of the content, and removed when
// outdated.

export interface TemplateInput {
  api: Ec2Api
  owner: Ownership
  clock: Clock
  logger: Logger
}

export interface Templates {
  /** Resolves once the template exists. */
  ensure(template: CreateLaunchTemplateRequest, signal?: AbortSignal): Promise<void>
  /** Called when EC2 reports that the template does not exist: the next `ensure` creates it. */
  forget(template: CreateLaunchTemplateRequest): void
}

/** A recorded launch is retried for at most 15 minutes; one hour is safely longer. */
const keptMs = 3_600_000

export function launchTemplates({ api, owner, clock, logger }: TemplateInput): Templates {
  /** Last use of each; a pool with spot and on-demand VMs has one for each. */
  const usedAt = new Map<string, number>()
  return {
    async ensure(template, signal) {
      const name = template.LaunchTemplateName ?? ''
      const isKnown = usedAt.has(name)
      if (!isKnown) await make(template, signal)
      usedAt.set(name, clock.now())
      if (!isKnown) await removeOutdated(signal)
    },
    forget: ({ LaunchTemplateName }) => void usedAt.delete(LaunchTemplateName ?? ''),
  }

  async function make(template: CreateLaunchTemplateRequest, signal?: AbortSignal): Promise<void> {
    try {
      await api.createLaunchTemplate(template, signal)
    } catch (error) {
      if (codeOf(error) !== 'InvalidLaunchTemplateName.AlreadyExistsException') throw error
    }
  }

  /** A leftover template costs nothing, so a failure here stops no launch. Running VMs do not need their template. */
  async function removeOutdated(signal?: AbortSignal): Promise<void> {
    try {
      for (const name of await outdated(signal)) {
        await api.deleteLaunchTemplate({ LaunchTemplateName: name }, signal)
        usedAt.delete(name)
      }
    } catch (error) {
      signal?.throwIfAborted()
      const { message } = ec2Failure(error, 'remove outdated launch templates').problem
      logger.warn('outdated launch templates were not removed', { pool: owner.pool, reason: message })
    }
  }

  async function outdated(signal?: AbortSignal): Promise<string[]> {
    const names: string[] = []
    const Filters = ownerFilters(owner)
    const fetchPage = (token: string | undefined) =>
      api.describeLaunchTemplates({ Filters, ...(token ? { NextToken: token } : {}) }, signal)
    for await (const { LaunchTemplates = [] } of pages(fetchPage))
      for (const { LaunchTemplateName, CreateTime } of LaunchTemplates) {
        const name = LaunchTemplateName ?? ''
        const at = usedAt.get(name) ?? CreateTime?.getTime() ?? clock.now()
        if (name && clock.now() - at > keptMs) names.push(name)
      }
    return names
  }
}

/** Whether EC2 shows a launch template of the cluster. Rejects with the SDK's error. */
export async function hasTemplates(api: Ec2Api, clusterId: string, signal?: AbortSignal): Promise<boolean> {
  const Filters = ownerFilters({ clusterId })
  const fetchPage = (token: string | undefined) =>
    api.describeLaunchTemplates({ Filters, ...(token ? { NextToken: token } : {}) }, signal)
  for await (const { LaunchTemplates = [] } of pages(fetchPage)) if (LaunchTemplates.length) return true
  return false
}
