// What plan() saw, as JSON: a running provisioner hands it out, people keep it, and `provision explain` reads it back.
import * as z from 'zod/mini'
import type { PoolStatus } from '../fleet/status.ts'
import { type Explanation, explain } from '../planner/explain.ts'
import type { Policy, Snapshot } from '../planner/snapshot.ts'
import { ProvisionError, problem } from '../problems/problem.ts'

export const snapshotFormat = 'provision snapshot 1'

/** Everything a decision follows from. */
export interface Seen {
  at: number
  policy: Policy
  snapshot: Snapshot
}

/** As JSON has it: a map is a list of its entries. Undefined before the first turn of the pool. */
export function snapshotFileOf({ policy, snapshot, decidedAt }: PoolStatus): object | undefined {
  if (!snapshot || decidedAt === undefined) return undefined
  return {
    format: snapshotFormat,
    at: decidedAt,
    policy,
    snapshot: { ...snapshot, unplaced: [...snapshot.unplaced] },
  }
}

const id = z.string()
const time = z.number()
const texts = z.array(z.string())
const numbers = z.record(z.string(), z.number())
const offering = { instanceType: z.string(), zone: z.string(), capacityType: z.string(), slots: z.number() }

const snapshot = z.looseObject({
  pool: z.string(),
  listing: z.optional(z.looseObject({ completeAt: time, complete: z.boolean() })),
  demandAt: z.optional(time),
  instances: z.array(
    z.looseObject({ id, state: z.string(), knownSince: time, instanceType: z.string(), zone: z.string() }),
  ),
  agents: z.array(
    z.looseObject({
      id,
      slots: z.number(),
      freeSlots: z.number(),
      busy: z.boolean(),
      connected: z.boolean(),
      enabled: z.boolean(),
      draining: z.boolean(),
      settledSince: time,
    }),
  ),
  pending: z.array(z.looseObject({ id, slots: z.number(), since: time })),
  unplaced: z.array(z.tuple([id, z.looseObject({ agents: texts, until: time })])),
  inFlight: z.array(
    z.looseObject({ intentId: id, offerings: z.array(z.looseObject(offering)), missing: z.number() }),
  ),
  offerings: z.array(z.looseObject({ ...offering, preference: z.number() })),
  breaker: z.looseObject({ state: z.enum(['closed', 'open', 'probing']) }),
  probe: z.boolean(),
  launchedLastHour: z.number(),
  holds: z.array(
    z.looseObject({ code: z.string(), stops: z.array(z.string()), numbers: z.optional(numbers) }),
  ),
  /** Left out by versions that decided on manual launches elsewhere. */
  requests: z.optional(z.array(z.looseObject({ id, count: z.number() }))),
})

const file = z.object({
  format: z.literal(snapshotFormat),
  at: time,
  policy: z.object({
    minInstances: z.number(),
    maxInstances: z.number(),
    maxIdle: z.number(),
    bootTimeout: z.number(),
    maxDisconnected: z.number(),
    reconnectWait: z.number(),
    placementGrace: z.number(),
    maxAuxPerAgent: z.number(),
    launchRate: z.number(),
    maxSnapshotAge: z.number(),
    maxListingAge: z.number(),
  }),
  snapshot,
})

/** Throws SNAPSHOT_INVALID with the place of what is wrong. `name` is said to people. */
export function readSnapshotFile(text: string, name: string): Seen {
  const parsed = file.safeParse(parse(text, name))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw invalid(
      `${name}: ${issue!.path.join('.') || 'it'} is not what a snapshot has there: ${issue!.message}`,
    )
  }
  const { at, policy, snapshot: read } = parsed.data
  return {
    at,
    policy,
    snapshot: {
      ...read,
      unplaced: new Map(read.unplaced),
      requests: read.requests ?? [],
    } as unknown as Snapshot,
  }
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalid(`${name} is not JSON: ${(error as Error).message}`)
  }
}

function invalid(message: string): ProvisionError {
  return new ProvisionError(problem('SNAPSHOT_INVALID', message))
}

// A kept snapshot, explained: the same words whether a provisioner runs or only its snapshot is there.

export type { Explanation }

/** `text` is what `snapshotFileOf` made. Throws SNAPSHOT_INVALID; `name` is said to people. */
export function explainSnapshot(text: string, name: string): Explanation {
  const { snapshot, policy, at } = readSnapshotFile(text, name)
  return explain(snapshot, policy, at)
}
