// Carries out a launch on Compute Engine: bulkInsert for each step, followed until its result is known.
import type { FailureClass, Instance, Offering } from '../../planner/index.ts'
import { type Clock, limit, notSentIn, retry } from '../../platform/index.ts'
import { problem } from '../../problems/index.ts'
import type { LaunchFailure, LaunchOrder, LaunchResult } from '../contract.ts'
import type { Failure } from '../failure.ts'
import { runSteps, type StepOutcome, stopped } from '../launch-steps.ts'
import { type GceApi, type GceInstance, type GceOperation, timeouts } from './client.ts'
import { gceErrorIn, gceFailure, isNotFound, refusal } from './errors.ts'
import { allInstances, allOperations, instanceOf, intentFilter, isManaged, lastPart } from './instances.ts'
import { type GcpLaunch, type LaunchStep, regionOf, withCount } from './request.ts'

export interface LaunchContext {
  api: GceApi
  clock: Clock
  operationTimeoutMs: number
  /** The request with all values that only Google Cloud knows. */
  prepare(order: LaunchOrder, signal?: AbortSignal): Promise<GcpLaunch>
}

export function launchInstances(
  order: LaunchOrder,
  context: LaunchContext,
  signal?: AbortSignal,
): Promise<LaunchResult> {
  const rules = {
    prepare: () => context.prepare(order, signal),
    withCount,
    send: (step: LaunchStep) => sendStep(step, order, context, signal),
    mayContinue,
    // A launch of more VMs than one call may create has several steps with the same offerings.
    asksForSame: (refused: LaunchStep, next: LaunchStep) => refused.offerings[0] === next.offerings[0],
    failureOf: gceFailure,
  }
  return runSteps(order, rules, signal)
}

/** Failures after which another capacity type or offering is tried. */
const continueAfter: FailureClass[] = ['capacity', 'quota']

/**
 * After any other failure it is unknown whether something was launched, or no launch can succeed. Fewer VMs than
 * requested, without a reason, are not a refusal.
 */
function mayContinue({ instances, failures }: StepOutcome, asked: LaunchStep): boolean {
  if (!failures.length) return instances.length >= asked.names.length
  return failures.every((failure) => continueAfter.includes(failure.class))
}

async function sendStep(
  step: LaunchStep,
  order: LaunchOrder,
  context: LaunchContext,
  signal?: AbortSignal,
): Promise<StepOutcome> {
  const { api, clock, operationTimeoutMs: timeoutMs } = context
  let accepted: GceOperation | undefined
  const attempts = { isUnknown: false }
  try {
    accepted = await insert(step, context, attempts, signal)
  } catch (error) {
    signal?.throwIfAborted()
    if (notSentIn(error)) {
      const failure = gceFailure(error, launching(step))
      return { instances: [], failures: [stopped(failure, attempts.isUnknown)] }
    }
    return { instances: [], failures: refusalsOf(step, order, gceFailure(error, launching(step))) }
  }
  try {
    const { project } = step.request
    const operation = accepted && (await follow(accepted, { api, clock, project, timeoutMs, signal }))
    return await bulkInsertResult({ api, order, step, operation, signal })
  } catch (error) {
    signal?.throwIfAborted()
    // VMs may have been created: listings will show them.
    const failure = gceFailure(error, `read the result: ${launching(step)}`)
    return { instances: [], failures: refusalsOf(step, order, failure) }
  }
}

/**
 * Retries with the same request id; undefined when its VMs exist, because an earlier attempt took effect. `attempts` gets
 * whether one may have taken effect without an answer.
 */
function insert(
  step: LaunchStep,
  { api, clock }: LaunchContext,
  attempts: { isUnknown: boolean },
  signal?: AbortSignal,
): Promise<GceOperation | undefined> {
  const send = async () => {
    try {
      return step.call === 'instances.bulkInsert'
        ? await api.bulkInsert(step.request, signal)
        : await api.bulkInsertInRegion(step.request, signal)
    } catch (error) {
      if (gceErrorIn(error)?.status === 409) return undefined
      attempts.isUnknown ||= !notSentIn(error) && gceFailure(error, launching(step)).class === 'transient'
      throw error
    }
  }
  return retry(send, { ...timeouts, tries: 3, clock, signal })
}

interface BulkInsertInput {
  api: GceApi
  order: LaunchOrder
  step: LaunchStep
  /** undefined when the response was that the names exist. */
  operation: GceOperation | undefined
  signal?: AbortSignal | undefined
}

/**
 * The result of a bulkInsert: the VMs, and why the others are missing. VMs are found by their label rather than by the
 * operation's counts, so that a repeated launch finds the VMs of its first attempt.
 */
async function bulkInsertResult(input: BulkInsertInput): Promise<StepOutcome> {
  const { api, order, step, operation, signal } = input
  const { project } = step.request
  const region = regionOf(step.offerings[0]!.zone)
  const request = { project, region, filter: intentFilter(order.owner, order.intent.id) }
  const names = new Set(step.names)
  const listed = (await allInstances(api, request, signal)).filter(({ name = '' }) => names.has(name))
  if (listed.length >= step.names.length) return { instances: managed(listed, order), failures: [] }
  const inserts = await insertsOf(input)
  const instances = managed([...listed, ...(await notListed(input, listed, inserts))], order)
  if (operation && operation.status !== 'DONE') return { instances, failures: [stillRunning(input)] }
  const failures = failuresOf(input, inserts)
  if (!failures.length && !instances.length) failures.push(replayedLaunch(input))
  return { instances, failures }
}

function managed(found: GceInstance[], { owner }: LaunchOrder): Instance[] {
  return found
    .filter((instance) => isManaged(instance, owner))
    .map((instance) => instanceOf(instance, owner.pool))
}

/** Each VM of a bulkInsert has its own operation in its zone, with the same group id. */
async function insertsOf({ api, step, operation, signal }: BulkInsertInput): Promise<GceOperation[]> {
  if (!operation?.operationGroupId) return []
  const { project } = step.request
  const filter = `(operationGroupId = "${operation.operationGroupId}")`
  const zones = step.offerings.map(({ zone }) => zone)
  const byZone = await Promise.all(zones.map((zone) => allOperations(api, { project, zone, filter }, signal)))
  return byZone.flat().filter(({ operationType, targetLink }) => operationType !== 'bulkInsert' && targetLink)
}

/** Listings may lag; a query by name does not. A deleted VM is not found. */
async function notListed(
  { api, step, signal }: BulkInsertInput,
  listed: GceInstance[],
  inserts: GceOperation[],
): Promise<GceInstance[]> {
  const known = new Set(listed.map(({ name }) => name))
  const created = inserts.filter(({ targetLink, error }) => !error && !known.has(lastPart(targetLink)))
  const limited = limit(10)
  const found = await Promise.all(
    created.map(({ targetLink, zone }) =>
      limited(async () => {
        const instancePath = {
          project: step.request.project,
          zone: lastPart(zone),
          instance: lastPart(targetLink),
        }
        try {
          return await api.getInstance(instancePath, signal)
        } catch (error) {
          if (isNotFound(error)) return undefined
          throw error
        }
      }),
    ),
  )
  return found.filter((instance) => instance !== undefined)
}

/** One failure for each reason and offering. The reason of the whole operation counts only when no VM has one. */
function failuresOf({ order, step, operation }: BulkInsertInput, inserts: GceOperation[]): LaunchFailure[] {
  const vmErrors = inserts.flatMap(({ zone, error }) =>
    (error?.errors ?? []).map((one) => ({ ...one, zone: lastPart(zone) })),
  )
  const errors = operation?.error?.errors ?? []
  // This summary is ignored if there is another reason.
  const reasons = errors.filter(({ code }) => code !== 'VM_MIN_COUNT_NOT_REACHED')
  const operationErrors = (reasons.length ? reasons : errors).map((one) => ({
    ...one,
    zone: zoneIn(one.message),
  }))
  const found = new Map<string, LaunchFailure>()
  for (const { code = 'unknown', message = '', zone } of vmErrors.length ? vmErrors : operationErrors)
    for (const failure of refusalsOf(step, order, refusal(code, message, launching(step)), zone))
      found.set(`${code} ${failure.offering?.zone}`, failure)
  return [...found.values()]
}

function zoneIn(message = ''): string | undefined {
  return /\bzones\/([a-z0-9-]+)/.exec(message)?.[1]
}

function stillRunning({ step, operation }: BulkInsertInput): LaunchFailure {
  const message = `the operation ${operation?.name} was still running when operation_timeout_period was over`
  return { ...refusal('timeout', message, launching(step)), missing: 0 }
}

function replayedLaunch({ order }: BulkInsertInput): LaunchFailure {
  const message = `launch ${order.intent.id} was carried out before, but Compute Engine lists none of its instances`
  return { class: 'transient', missing: 0, problem: problem('PROVIDER_LAUNCH_SPENT', message) }
}

interface FollowInput {
  api: GceApi
  clock: Clock
  project: string
  /** Milliseconds after which it is no longer followed. */
  timeoutMs: number
  signal?: AbortSignal | undefined
}

/** Milliseconds; `wait` is best effort, and may return at once. */
const leastMs = 1000
/** Milliseconds; the longest timer is shorter than the longest operation_timeout_period. */
const longestMs = 600_000

/**
 * Follows an operation with `wait`, which responds when the state changes: returns the operation when it is done, or its
 * last state at the timeout. Rejects when it cannot be queried.
 */
async function follow(operation: GceOperation, input: FollowInput): Promise<GceOperation> {
  const { clock, timeoutMs, signal } = input
  const until = clock.now() + timeoutMs
  let latest = operation
  while (latest.status !== 'DONE') {
    const asked = clock.now()
    if (asked >= until) break
    const timeoutSignal = AbortSignal.timeout(Math.min(until - asked, longestMs))
    const stop = signal ? AbortSignal.any([signal, timeoutSignal]) : timeoutSignal
    try {
      latest = await wait(latest, input, stop)
    } catch (error) {
      signal?.throwIfAborted()
      if (timeoutSignal.aborted) continue
      // Operations are kept for two weeks: one that is not found is done.
      if (isNotFound(error)) return { ...latest, status: 'DONE' }
      throw error
    }
    if (latest.status !== 'DONE' && clock.now() - asked < leastMs) await clock.sleep(leastMs, signal)
  }
  return latest
}

function wait({ name = '', zone, region }: GceOperation, { api, project }: FollowInput, signal: AbortSignal) {
  return zone
    ? api.waitInZone({ project, zone: lastPart(zone), operation: name }, signal)
    : api.waitInRegion({ project, region: lastPart(region), operation: name }, signal)
}

/** Missing permissions, missing responses and timeouts do not depend on the offering. */
const anyOffering: FailureClass[] = ['auth', 'transient', 'throttle']

/**
 * Failures of the offerings that a refusal is about; those are not used for a while. Insufficient capacity applies to its
 * zone. A quota applies to the region, so the other zones would refuse too; the same holds when no zone is named, or when
 * the request itself is wrong.
 */
function refusalsOf(
  step: LaunchStep,
  { intent }: LaunchOrder,
  failure: Failure,
  zone?: string,
): LaunchFailure[] {
  if (anyOffering.includes(failure.class)) return [{ ...failure, missing: 0 }]
  const inZone = step.offerings.filter((offering) => offering.zone === zone)
  const about = failure.class === 'capacity' && inZone.length ? inZone : step.offerings
  return about.map((offering) => ({
    ...failure,
    missing: 0,
    offering: intent.offerings.find((asked) => isSame(asked, offering)) ?? offering,
  }))
}

/** A step knows the zone when its offering names none. */
function isSame(asked: Offering, { instanceType, capacityType, zone }: Offering): boolean {
  const same = asked.instanceType === instanceType && asked.capacityType === capacityType
  return same && (asked.zone === zone || asked.zone === '')
}

/** Completes "could not …". */
function launching({ offerings, names }: LaunchStep): string {
  const { instanceType, zone, capacityType } = offerings[0]!
  const where = offerings.length > 1 ? `any of ${offerings.map((one) => one.zone).join(', ')}` : zone
  return `launch ${names.length} ${capacityType === 'spot' ? 'spot ' : ''}${instanceType} in ${where}`
}
