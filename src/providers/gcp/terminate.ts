// Deletes VMs: many at once, within the request quota of the project.
//
// Compute Engine deletes one instance a call. instanceGroupManagers.deleteInstances takes 1,000, but only of a managed
// instance group, which would replace instances on its own; a batch request (multipart) counts as many requests as it has
// parts, so it saves connections only.

import { randomUUID } from 'node:crypto'
import { type Clock, type Limiter, limit, type Pace, pace, retry } from '../../platform/index.ts'
import type { TerminateResult } from '../contract.ts'
import type { Failure } from '../failure.ts'
import { type Owner, terminateOwn } from '../launch-steps.ts'
import { type GceApi, type GceInstance, timeouts } from './client.ts'
import { codeOf, gceErrorIn, gceFailure, isNotFound, refusal } from './errors.ts'
import { isName, lastPart, nameQueries, noResponse, queryInstances, relevantZones } from './instances.ts'

/** Deletes in flight. */
const deletesAtOnce = 50
/**
 * Of the 1,500 requests a minute that a project has (https://cloud.google.com/compute/api-quota) deletes use at most
 * 1,250: the others are for launches, and for other programs.
 */
const deleteRate = { perSecond: 20, burst: deletesAtOnce }
/** VMs of one lookup: their deletes are sent within 10 s, if the rate is not shared. */
const chunkSize = 250
/** Milliseconds after the lookup; a delete that is not sent by then needs a new one. */
const lookupFor = 15_000
/** Milliseconds after which one call looks nothing up any more: its caller waits for two minutes. */
const longest = 60_000
/** Milliseconds without deletes after a refused one; the quota refills every minute. */
const pauseMs = 5_000

export interface TerminateInput {
  api: GceApi
  clock: Clock
  project: string
  /** Named in the message when an instance is rejected; without a pool, any instance of the cluster is terminated. */
  owner: Owner
  isManaged: (instance: GceInstance) => boolean
  ids: string[]
  /** Zone in which an instance was last observed. */
  zoneOf: (id: string) => string | undefined
  /**
   * Zone of an instance that this provider launched a moment ago: it is managed, although a listing may not show it
   * yet.
   */
  zoneOfNew: (id: string) => string | undefined
  signal?: AbortSignal | undefined
}

/** The deletes of one chunk that were not sent: because too much time has passed, or because Compute Engine refuses more. */
interface Rest {
  unsent: string[]
  /** Compute Engine's message. */
  throttled?: string
}

/**
 * Deletes as many as the quota allows within a minute; the others are failures of the class `throttle`, which the caller
 * tries again later.
 */
export async function terminateOwned(input: TerminateInput): Promise<TerminateResult> {
  const { clock, ids } = input
  const until = clock.now() + longest
  const result: TerminateResult = { terminated: [], failures: [] }
  let open = ids
  let size = chunkSize
  let throttled: string | undefined
  do {
    const rest: Rest = { unsent: [] }
    const part = await terminateChunk(input, open.slice(0, size), rest)
    result.terminated.push(...part.terminated)
    result.failures.push(...part.failures)
    open = [...rest.unsent, ...open.slice(size)]
    // Where many pools share the rate, most of a large chunk would be looked up for nothing.
    if (rest.unsent.length) size = deletesAtOnce
    throttled = rest.throttled
  } while (open.length && !throttled && clock.now() < until)
  const why = throttled ?? 'the deletes of a minute are used up'
  for (const id of open) result.failures.push({ id, ...throttleFailure(`not sent yet: ${why}`, id) })
  return result
}

function terminateChunk(input: TerminateInput, ids: string[], rest: Rest): Promise<TerminateResult> {
  const { owner, isManaged, zoneOfNew, signal, clock } = input
  const limited = limit(deletesAtOnce)
  const rules = {
    owner,
    find: () => find({ ...input, ids }),
    isManaged,
    targetOf(id: string, instance?: GceInstance) {
      const zone = lastPart(instance?.zone) || zoneOfNew(id)
      return zone ? { id, zone } : undefined
    },
    async terminate(targets: { id: string; zone: string }[], result: TerminateResult) {
      const until = clock.now() + lookupFor
      // One waits at a time, so that the pools of a project take turns, however many instances each has.
      const deletion = { ...input, rest, result, until, inTurn: limit(1) }
      await Promise.all(targets.map((target) => limited(() => terminateOne(deletion, target))))
      signal?.throwIfAborted()
    },
    failureOf: gceFailure,
  }
  return terminateOwn(ids, rules, signal)
}

async function find({
  api,
  project,
  ids,
  zoneOf,
  signal,
}: TerminateInput): Promise<Map<string, GceInstance>> {
  const known = new Map<string, GceInstance>()
  for (const { names, filter } of nameQueries(ids.filter(isName))) {
    const { instances, unreachable, error } = await queryInstances(
      api,
      { project, filter },
      (page) => page,
      signal,
    )
    if (error) throw error
    for (const instance of instances) known.set(instance.name ?? '', instance)
    const missingZones = relevantZones(
      names.filter((name) => !known.has(name)),
      unreachable,
      zoneOf,
    )
    if (missingZones.length) throw noResponse(missingZones)
  }
  return known
}

interface Deletion extends TerminateInput {
  rest: Rest
  result: TerminateResult
  until: number
  inTurn: Limiter
}

/** The request id is derived from this call: a delete that failed inside its operation may be requested again. */
async function terminateOne(deletion: Deletion, { id, zone }: { id: string; zone: string }): Promise<void> {
  const { api, clock, project, signal, rest, result, until, inTurn } = deletion
  const inPace = paceOf(clock, project)
  const request = { project, zone, instance: id, requestId: randomUUID() }
  let isSent = false

  /** Whether it was sent; false when it is too late for that. */
  async function send(): Promise<boolean> {
    const isWanted = () => isSent || !(rest.throttled || clock.now() >= until)
    if (!(await inTurn(() => inPace.nextIf(isWanted, signal)))) return false
    isSent = true
    try {
      await api.deleteInstance(request, signal)
    } catch (error) {
      if (isThrottled(error)) inPace.pause(gceErrorIn(error)?.retryAfterMs ?? pauseMs)
      throw error
    }
    return true
  }

  if (signal?.aborted) return
  if (rest.throttled || clock.now() >= until) return void rest.unsent.push(id)
  try {
    if (await retry(send, { ...timeouts, isRetryable, clock, signal })) result.terminated.push(id)
    else rest.unsent.push(id)
  } catch (error) {
    if (signal?.aborted) return
    if (isNotFound(error)) result.terminated.push(id)
    else if (isThrottled(error)) {
      rest.throttled = gceErrorIn(error)?.message ?? codeOf(error)
      result.failures.push({ id, ...throttleFailure(rest.throttled, id, error) })
    } else result.failures.push({ id, ...gceFailure(error, `terminate ${id}`) })
  }
}

/** A delete uses no resources: an exceeded quota is one of requests. */
function isThrottled(error: unknown): boolean {
  return ['throttle', 'quota'].includes(gceFailure(error, 'terminate').class)
}

function isRetryable(error: unknown): boolean {
  return isThrottled(error) || timeouts.isRetryable(error)
}

/** Whatever the reason of a refusal is called: the same delete succeeds later. */
function throttleFailure(message: string, id: string, cause?: unknown): Failure {
  return refusal('rateLimitExceeded', message, `terminate ${id}`, { cause })
}

/** One for all pools of a project in this process; the clock tells processes in a test apart. */
const paces = new WeakMap<Clock, Map<string, Pace>>()

function paceOf(clock: Clock, project: string): Pace {
  const ofClock = paces.get(clock) ?? new Map<string, Pace>()
  paces.set(clock, ofClock)
  const known = ofClock.get(project) ?? pace(clock, deleteRate)
  ofClock.set(project, known)
  return known
}
