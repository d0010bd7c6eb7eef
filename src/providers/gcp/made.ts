// What became of a bulkInsert: the VMs there are, and why the others are not.
import type { Instance } from '../../planner/instance.ts'
import { limit } from '../../platform/limit.ts'
import { problem } from '../../problems/problem.ts'
import type { LaunchFailure, LaunchOrder } from '../launch.ts'
import type { GceApi, GceInstance, GceOperation } from './gce-api.ts'
import { isNotFound, refusal } from './gce-failure.ts'
import { instanceOf, intentFilter, isOurs, lastPart } from './instances.ts'
import { type LaunchStep, regionOf } from './launch-steps.ts'
import { allInstances, allOperations } from './pages.ts'
import { launching, refusalsOf } from './refusals.ts'

export interface StepOutcome {
  instances: Instance[]
  failures: LaunchFailure[]
}

export interface MadeInput {
  api: GceApi
  order: LaunchOrder
  step: LaunchStep
  /** Undefined when the answer was that the names exist. */
  operation: GceOperation | undefined
  signal?: AbortSignal | undefined
}

/** By their label rather than by the operation's counts: a launch sent again finds what it made the first time. */
export async function madeBy(input: MadeInput): Promise<StepOutcome> {
  const { api, order, step, operation, signal } = input
  const { project } = step.request
  const region = regionOf(step.offerings[0]!.zone)
  const request = { project, region, filter: intentFilter(order.owner, order.intent.id) }
  const names = new Set(step.names)
  const listed = (await allInstances(api, request, signal)).filter(({ name = '' }) => names.has(name))
  if (listed.length >= step.names.length) return { instances: ours(listed, order), failures: [] }
  const inserts = await insertsOf(input)
  const instances = ours([...listed, ...(await notListed(input, listed, inserts))], order)
  if (operation && operation.status !== 'DONE') return { instances, failures: [stillRunning(input)] }
  const failures = failuresOf(input, inserts)
  if (!failures.length && !instances.length) failures.push(spent(input))
  return { instances, failures }
}

function ours(found: GceInstance[], { owner }: LaunchOrder): Instance[] {
  return found.filter((instance) => isOurs(instance, owner)).map((instance) => instanceOf(instance, owner))
}

/** Each VM of a bulkInsert has an operation of its own, in its zone, under the same group id. */
async function insertsOf({ api, step, operation, signal }: MadeInput): Promise<GceOperation[]> {
  if (!operation?.operationGroupId) return []
  const { project } = step.request
  const filter = `(operationGroupId = "${operation.operationGroupId}")`
  const zones = step.offerings.map(({ zone }) => zone)
  const byZone = await Promise.all(zones.map((zone) => allOperations(api, { project, zone, filter }, signal)))
  return byZone.flat().filter(({ operationType, targetLink }) => operationType !== 'bulkInsert' && targetLink)
}

/** Listings may lag behind; a VM asked for by its name does not. One that is gone is not found. */
async function notListed(
  { api, step, signal }: MadeInput,
  listed: GceInstance[],
  inserts: GceOperation[],
): Promise<GceInstance[]> {
  const known = new Set(listed.map(({ name }) => name))
  const made = inserts.filter(({ targetLink, error }) => !error && !known.has(lastPart(targetLink)))
  const few = limit(10)
  const found = await Promise.all(
    made.map(({ targetLink, zone }) =>
      few(async () => {
        const place = { project: step.request.project, zone: lastPart(zone), instance: lastPart(targetLink) }
        try {
          return await api.getInstance(place, signal)
        } catch (error) {
          if (isNotFound(error)) return undefined
          throw error
        }
      }),
    ),
  )
  return found.filter((instance) => instance !== undefined)
}

/** One for each reason and offering. What the whole operation says counts only when no VM says why. */
function failuresOf({ order, step, operation }: MadeInput, inserts: GceOperation[]): LaunchFailure[] {
  const told = inserts.flatMap(({ zone, error }) =>
    (error?.errors ?? []).map((one) => ({ ...one, zone: lastPart(zone) })),
  )
  const errors = operation?.error?.errors ?? []
  // The reason stands beside this summary, unless it is alone.
  const reasons = errors.filter(({ code }) => code !== 'VM_MIN_COUNT_NOT_REACHED')
  const whole = (reasons.length ? reasons : errors).map((one) => ({ ...one, zone: zoneIn(one.message) }))
  const found = new Map<string, LaunchFailure>()
  for (const { code = 'unknown', message = '', zone } of told.length ? told : whole)
    for (const failure of refusalsOf(step, order, refusal(code, message, launching(step)), zone))
      found.set(`${code} ${failure.offering?.zone}`, failure)
  return [...found.values()]
}

function zoneIn(message = ''): string | undefined {
  return /\bzones\/([a-z0-9-]+)/.exec(message)?.[1]
}

function stillRunning({ step, operation }: MadeInput): LaunchFailure {
  const message = `the operation ${operation?.name} was still running when operation_timeout_period was over`
  return { ...refusal('timeout', message, launching(step)), missing: 0 }
}

function spent({ order }: MadeInput): LaunchFailure {
  const message = `launch ${order.intent.id} was carried out before, and Compute Engine shows none of its VMs`
  return { class: 'transient', missing: 0, problem: problem('PROVIDER_LAUNCH_SPENT', message) }
}
