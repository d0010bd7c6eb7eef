// The schemas of what is kept as JSON, in a pool's journal and in snapshots that people keep.

import * as z from 'zod/mini'
import {
  capacityTypes,
  failureClasses,
  instanceStates,
  type KnownAgent,
  type KnownInstance,
  type KnownOffering,
  type LaunchBudget,
  type Offering,
  type Unplaced,
} from '../planner/index.ts'
import {
  type FleetCode,
  fleetCodes,
  type Problem,
  type ProblemCode,
  problemCodes,
} from '../problems/index.ts'
import type { Generation } from '../rollout/index.ts'
import type { BreakerMemory, LaunchErrorMemory } from './failures.ts'

/**
 * A schema for every field of `T`, the optional ones too: a field that is added to the type but not here does not
 * compile, because it would be lost when it is read back.
 */
export type ShapeOf<T> = { [Key in keyof T]-?: z.ZodMiniType<T[Key]> }

export const text = z.string()
/** Milliseconds since the epoch. */
export const time = z.number()
export const count = z.number()

export const fleetCode = z.custom<FleetCode>(
  (code) => typeof code === 'string' && Object.hasOwn(fleetCodes, code),
)

export const instanceShape = {
  id: text,
  pool: text,
  state: z.enum(instanceStates),
  // A cloud may have reported an unreadable time; no decision depends on it.
  launchedAt: z.catch(time, 0),
  instanceType: text,
  zone: text,
  capacityType: z.enum(capacityTypes),
  intentId: z.optional(text),
  writerId: z.optional(text),
  stateReason: z.optional(text),
  interruptedAt: z.optional(time),
  endsAt: z.optional(time),
  offeredZone: z.optional(text),
  image: z.optional(text),
  knownSince: time,
  slots: z.optional(count),
  joinedAt: z.optional(time),
  lostSince: z.optional(time),
  drainedAt: z.optional(time),
  undrainedAt: z.optional(time),
  ending: z.optional(z.boolean()),
  condemned: z.optional(z.boolean()),
  undrainDoubt: z.optional(z.boolean()),
  missingSince: z.optional(time),
  unshownSince: z.optional(time),
  ordered: z.optional(z.enum(['when_idle', 'even_if_busy'])),
  generation: z.optional(text),
  rolledSince: z.optional(time),
} satisfies ShapeOf<Omit<KnownInstance, 'addresses' | 'drifted'>>

export const agent = z.object({
  id: text,
  slots: count,
  freeSlots: count,
  freeAux: z.optional(count),
  busy: z.boolean(),
  idleSince: z.optional(time),
  connected: z.boolean(),
  enabled: z.boolean(),
  draining: z.boolean(),
  disabledByPerson: z.optional(z.boolean()),
  getsNoWork: z.optional(z.boolean()),
  settledSince: time,
} satisfies ShapeOf<KnownAgent>)

export const unplaced = z.object({
  agents: z.readonly(z.array(text)),
  until: time,
  trial: z.optional(text),
} satisfies ShapeOf<Unplaced>)

const offeringShape = {
  instanceType: text,
  zone: text,
  capacityType: z.enum(capacityTypes),
  slots: count,
} satisfies ShapeOf<Offering>

export const offering = z.object(offeringShape)

export const refusal = z.object({
  class: z.enum(failureClasses),
  until: time,
  failures: count,
} satisfies ShapeOf<NonNullable<KnownOffering['refused']>>)

export const knownOffering = z.object({
  ...offeringShape,
  preference: count,
  refused: z.optional(refusal),
} satisfies ShapeOf<KnownOffering>)

const place = {
  file: text,
  line: z.optional(count),
  column: z.optional(count),
  path: z.optional(text),
  frame: z.optional(text),
}

const storedProblem = z.object({
  code: z.custom<ProblemCode>((code) => typeof code === 'string' && Object.hasOwn(problemCodes, code)),
  severity: z.enum(['error', 'warning']),
  message: text,
  remedy: text,
  where: z.optional(z.object({ ...place, setting: z.optional(z.object(place)) })),
  details: z.optional(z.record(text, z.unknown())),
  cause: z.optional(z.unknown()),
} satisfies ShapeOf<Problem>)

export const budget = z.object({ spent: z.number(), at: time } satisfies ShapeOf<LaunchBudget>)

export const breaker = z.object({
  failures: count,
  openings: count,
  openedAt: time,
  until: time,
} satisfies ShapeOf<BreakerMemory>)

export const launchError = z.object({
  failures: count,
  lastAt: time,
  readyAt: time,
  // Another version may have written a code that no longer exists: such a problem is dropped.
  problem: z.catch(z.optional(storedProblem), undefined),
} satisfies ShapeOf<LaunchErrorMemory>)

export const generation = z.object({
  id: text,
  version: count,
  keys: z.record(text, text),
} satisfies ShapeOf<Generation>)
