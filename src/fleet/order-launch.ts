// A launch on a person's order. What the plan would not do for lack of need, a person may; what is not safe, nobody.

import type { LaunchDecision, ReasonCode } from '../planner/decision.ts'
import { offeringKey } from '../planner/instance.ts'
import { codeInfo } from '../problems/codes.ts'
import { type Problem, ProvisionError, problem } from '../problems/problem.ts'
import { say, type Turn } from './decide.ts'
import { breakerView, launchedLastHour } from './failures.ts'
import { problemBehind } from './holds.ts'
import { missingOf, openLaunch } from './launch.ts'
import { isLive } from './memory.ts'
import type { PoolRun } from './run.ts'

/** A person may try again what has failed too often for us to. */
const passable: readonly ReasonCode[] = ['LAUNCH_ERROR']

/**
 * Launches `count` VMs beside those that work calls for; returns the id of the intent. All of them or none: throws a
 * ProvisionError when something forbids launches now, or that many. What the cloud refuses is not asked for again.
 */
export function orderLaunch(run: PoolRun, turn: Turn, count: number): string {
  const refused = refusal(run, turn, count)
  // Only a warning while nobody asks; whoever does gets no for an answer.
  if (refused) throw new ProvisionError({ ...refused, severity: 'error' })
  const decision = decisionOf(run, count)
  if (turn.material.kind !== 'ready' || !decision) throw new ProvisionError(toldBy('NO_OFFERING'))
  say(run, 'launch', [], count, decision.reason)
  return openLaunch(run, decision, turn.material)
}

function refusal(run: PoolRun, { snapshot, material }: Turn, count: number): Problem | undefined {
  const { memory, settings, now } = run
  const oldest = now() - settings.policy.maxListingAge
  if (!memory.listing || memory.listing.completeAt < oldest)
    return problemBehind('LISTING_MISSING', memory, material) ?? toldBy('LISTING_MISSING')
  const hold = snapshot.holds.find(({ code, stops }) => stops.includes('launch') && !passable.includes(code))
  if (hold) return problemBehind(hold.code, memory, material) ?? toldBy(hold.code)
  const { maxInstances, launchRate } = settings.policy
  const room = Math.max(0, maxInstances - liveOf(run))
  if (count > room)
    return problem('MAX_REACHED', `max_instances is ${maxInstances}: there is room for ${room} more`)
  const left = Math.max(0, launchRate - launchedLastHour(memory.launches, now()))
  if (count > left)
    return problem('LAUNCH_RATE_SPENT', `launch_rate is ${launchRate} an hour: ${left} may be launched now`)
  if (count > 1 && snapshot.probe) return toldBy('PROBE_FIRST')
  if (count > 1 && breakerView(memory.breaker, now()).state !== 'closed') return toldBy('BREAKER_PROBING')
  return undefined
}

/** All that may bill: VMs, and those that launches under way may still bring. */
function liveOf({ memory }: PoolRun): number {
  let live = 0
  for (const track of memory.tracks.values()) if (isLive(track)) live++
  for (const intent of memory.intents.values()) live += missingOf(intent)
  return live
}

/** The offerings that are tried first and have the same slots; those that refused a moment ago only when all have. */
function decisionOf({ settings, memory, now }: PoolRun, count: number): LaunchDecision | undefined {
  const sorted = settings.offerings.toSorted((a, b) => a.preference - b.preference)
  const open = sorted.filter((offering) => (memory.offerings.get(offeringKey(offering))?.until ?? 0) <= now())
  const [first, ...rest] = open.length > 0 ? open : sorted
  if (!first) return undefined
  const offerings = [first, ...rest.filter(({ slots }) => slots === first.slots)].map(
    ({ preference: _, ...offering }) => offering,
  )
  return { kind: 'launch', count, offerings, reason: { code: 'ORDERED', numbers: { count } } }
}

function toldBy(code: ReasonCode): Problem {
  const known = code as Extract<ReasonCode, Problem['code']>
  return problem(known, codeInfo(known).meaning.replace(/\.$/, ''))
}
