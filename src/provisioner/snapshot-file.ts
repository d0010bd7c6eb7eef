// The input of plan() as JSON: a running provisioner exports it, people keep it, and `provision explain` reads it.
import * as z from 'zod/mini'
import {
  agent,
  count,
  fleetCode,
  instanceShape,
  knownOffering,
  offering,
  type PoolStatus,
  type ShapeOf,
  text,
  time,
  unplaced,
} from '../fleet/index.ts'
import {
  type Explanation,
  explain,
  type Hold,
  type ManualLaunch,
  type PendingAllocation,
  type Policy,
  type RolloutRules,
  type RolloutState,
  rolloutModes,
  type Snapshot,
} from '../planner/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'

export const snapshotFormat = 'provision snapshot 1'

/** Everything a decision depends on. */
export interface KeptSnapshot {
  at: number
  policy: Policy
  snapshot: Snapshot
}

/** In JSON a map is a list of its entries. Undefined before the first turn of the pool. */
export function snapshotFileOf({ policy, snapshot, decidedAt }: PoolStatus): object | undefined {
  if (!snapshot || decidedAt === undefined) return undefined
  // Requests are answered in their own turn, so there are rarely any to keep.
  const { requests, ...kept } = snapshot
  const instances = kept.instances.map(({ addresses: _, ...instance }) => instance)
  return {
    format: snapshotFormat,
    at: decidedAt,
    policy,
    snapshot: { ...kept, instances, ...(requests.length > 0 && { requests }), unplaced: [...kept.unplaced] },
  }
}

const share = z.union([z.object({ count }), z.object({ percent: count })])

const policy = z.object({
  minInstances: count,
  maxInstances: count,
  maxIdle: time,
  bootTimeout: time,
  maxDisconnected: time,
  reconnectWait: time,
  placementGrace: time,
  maxAuxPerAgent: count,
  separateGangs: z.optional(z.boolean()),
  launchRate: z.optional(count),
  /** Left out by versions without rollouts, as the state of the rollout below. */
  rollout: z.optional(
    z.object({
      when: z.enum(rolloutModes),
      maxUnavailable: share,
      surge: share,
      maxLifetime: z.optional(time),
      drainTimeout: z.optional(time),
    } satisfies ShapeOf<RolloutRules>),
  ),
  maxSnapshotAge: time,
  maxListingAge: time,
} satisfies ShapeOf<Policy>)

const snapshot = z.object({
  pool: text,
  listing: z.optional(z.object({ completeAt: time, took: z.optional(time), complete: z.boolean() })),
  demandAt: z.optional(time),
  demandTook: z.optional(time),
  instances: z.array(z.object({ ...instanceShape, drifted: z.optional(z.array(text)) })),
  agents: z.array(agent),
  pending: z.array(
    z.object({
      id: text,
      slots: count,
      job: z.optional(text),
      maxSlots: z.optional(count),
      jobRunningSlots: z.optional(count),
      since: time,
    } satisfies ShapeOf<PendingAllocation>),
  ),
  inFlight: z.array(z.object({ intentId: text, offerings: z.array(offering), missing: count })),
  offerings: z.array(knownOffering),
  breaker: z.discriminatedUnion('state', [
    z.object({ state: z.literal('closed') }),
    z.object({ state: z.literal('open'), until: time, failures: count }),
    z.object({ state: z.literal('probing'), failures: count }),
  ]),
  probe: z.boolean(),
  /** Left out by versions that counted every launch of the last hour. */
  budget: z._default(z.object({ spent: z.number(), at: time }), { spent: 0, at: 0 }),
  holds: z.array(
    z.object({
      code: fleetCode,
      stops: z.array(z.enum(['launch', 'remove'])),
      numbers: z.optional(z.record(text, z.number())),
    } satisfies ShapeOf<Hold>),
  ),
  unplaced: z.array(z.tuple([text, unplaced])),
  rollout: z.optional(
    z.object({
      generation: text,
      proven: z.boolean(),
      failed: z.optional(fleetCode),
      paused: z.boolean(),
      open: z.boolean(),
      opensAt: z.optional(time),
    } satisfies ShapeOf<RolloutState>),
  ),
  /** Left out by versions whose plans did not decide on manual launches. */
  requests: z._default(z.array(z.object({ id: text, count } satisfies ShapeOf<ManualLaunch>)), []),
} satisfies Record<keyof Snapshot, unknown>)

const file = z.object({ format: z.literal(snapshotFormat), at: time, policy, snapshot })

/** Throws SNAPSHOT_INVALID with the place of the error. Messages use `name`. */
export function readSnapshotFile(json: string, name: string): KeptSnapshot {
  const parsed = file.safeParse(parse(json, name))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw invalid(`${name}: ${issue!.path.join('.') || 'the snapshot'} is not valid: ${issue!.message}`)
  }
  const { at, policy, snapshot: read } = parsed.data
  const { listing, demandAt } = read
  return { at, policy, snapshot: { ...read, listing, demandAt, unplaced: new Map(read.unplaced) } }
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

// The explanation of a kept snapshot: the same text whether a provisioner runs or only its snapshot exists.

export type { Explanation }

/** `text` is the output of `snapshotFileOf`. Throws SNAPSHOT_INVALID; messages use `name`. */
export function explainSnapshot(text: string, name: string): Explanation {
  const { snapshot, policy, at } = readSnapshotFile(text, name)
  return explain(snapshot, policy, at)
}
