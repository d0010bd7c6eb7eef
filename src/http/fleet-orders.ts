// A person's orders as data: carried out by the provisioner that leads the pool, and passed to it by the others.
import * as z from 'zod/mini'
import type { ManagedInstance } from '../fleet/index.ts'
import { type Problem, type ProblemCode, ProvisionError, problem } from '../problems/index.ts'
import type { FleetControl } from './fleet-control.ts'
import {
  type Accepted,
  type Adopted,
  type AdoptedOrphans,
  drainOrderSchema,
  type Launched,
  launchOrderSchema,
  type Removed,
  terminateOrderSchema,
} from './order-view.ts'
import { problemView, type Refusal, reasonView } from './reason-view.ts'
import { ok, type Reply } from './router.ts'

const pool = z.string()
const idsOrderSchema = z.discriminatedUnion('kind', [
  z.extend(drainOrderSchema, { kind: z.enum(['drain', 'undrain']) }),
  z.extend(terminateOrderSchema, { kind: z.literal('terminate') }),
])

/** Strict: what a newer version has added to an order must not be ignored. */
export const orderSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['pause', 'resume', 'pause_rollout', 'restart_rollout', 'adopt']), pool }),
  z.extend(launchOrderSchema, { kind: z.literal('launch'), pool }),
  z.strictObject({ kind: z.literal('adopt_orphans') }),
  ...idsOrderSchema.def.options,
])

export type Order = z.output<typeof orderSchema>
export type IdsOrder = z.output<typeof idsOrderSchema>

/** Here, whoever asked for it. Rejects only for internal errors. */
export function carryOut(fleet: FleetControl, order: Order): Promise<Reply> {
  return replyOf(async () => ok(await resultOf(fleet, order)))
}

async function resultOf(
  fleet: FleetControl,
  order: Order,
): Promise<Accepted | Adopted | AdoptedOrphans | Launched | Removed> {
  switch (order.kind) {
    case 'pause':
    case 'resume':
      await fleet[order.kind](order.pool)
      return { pool: order.pool }
    case 'pause_rollout':
      await fleet.rollout(order.pool, 'pause')
      return { pool: order.pool }
    case 'restart_rollout':
      await fleet.rollout(order.pool, 'restart')
      return { pool: order.pool }
    case 'adopt':
      return { pool: order.pool, writers: await fleet.adopt(order.pool) }
    case 'launch':
      return { pool: order.pool, count: order.count, intent: await fleet.launch(order.pool, order.count) }
    case 'adopt_orphans':
      return { writers: await fleet.adoptOrphans() }
    case 'drain':
      return drain(fleet, order.ids)
    case 'undrain':
      return undrain(fleet, order.ids)
    case 'terminate':
      return terminate(fleet, order.ids, order.force)
  }
}

const statuses: Partial<Record<ProblemCode, number>> = {
  ORDER_REFUSED: 400,
  POOL_UNKNOWN: 404,
  INSTANCE_UNKNOWN: 404,
  ORDER_UNANSWERED: 504,
  ORDER_UNCERTAIN: 504,
}

/** Problems become responses: 409 unless the request itself was wrong. Internal errors are left to the caller. */
export async function replyOf(work: () => Promise<Reply>): Promise<Reply> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error
    const [first] = error.problems
    return failure((error.code && statuses[error.code]) ?? 409, first!)
  }
}

export function failure(status: number, first: Problem): Reply {
  return { status, value: { error: problemView(first) } satisfies Refusal }
}

// Orders to remove instances check every id before any instance is changed.

/** Throws INSTANCE_UNKNOWN and then changes nothing. */
async function drain(fleet: FleetControl, ids: string[]): Promise<Removed> {
  const pools = await poolsOf(fleet, ids)
  return {
    ids: await fleet.drain(ids),
    waits: [...waitsOf(fleet, pools, blind), ...orphansWaiting(fleet, ids)],
  }
}

/** Throws INSTANCE_UNKNOWN and then changes nothing. `ids` are those that stay: others had no such order, or are terminated already. */
async function undrain(fleet: FleetControl, ids: string[]): Promise<Removed> {
  await poolsOf(fleet, ids)
  return { ids: await fleet.undrain(ids), waits: [] }
}

/** Throws INSTANCE_UNKNOWN, or INSTANCE_BUSY without `force`, and then changes nothing. */
async function terminate(fleet: FleetControl, ids: string[], force: boolean): Promise<Removed> {
  const pools = await poolsOf(fleet, ids)
  const busy = force ? [] : busyHere(fleet, ids)
  if (busy.length > 0) throw isBusy(busy)
  // Without force each is drained first and checked again, so that a job that was just placed is not lost either.
  const ended = await (force ? fleet.terminate(ids) : fleet.drain(ids))
  // A forced removal does not need the demand.
  const needs = force ? blind.filter((code) => code !== 'DEMAND_MISSING') : blind
  return {
    ids: ended,
    waits: [...waitsOf(fleet, pools, needs), ...(force ? [] : orphansWaiting(fleet, ids))],
  }
}

/** The pools of the instances that this process manages, by their ids. */
function instancesHere({ status, orphans }: FleetControl): Map<string, string> {
  const poolOf = new Map(
    status().pools.flatMap(({ pool, instances }) =>
      instances.map((track: ManagedInstance) => [track.id, pool]),
    ),
  )
  for (const { id, pool } of orphans().orphans) poolOf.set(id, pool)
  return poolOf
}

/** The same once all of these are known, or the pools that are being started have begun. */
export async function instancesOnceBegun(
  fleet: FleetControl,
  ids: readonly string[],
): Promise<Map<string, string>> {
  const found = instancesHere(fleet)
  if (ids.every((id) => found.has(id))) return found
  await fleet.begun()
  return instancesHere(fleet)
}

async function poolsOf(fleet: FleetControl, ids: string[]): Promise<Set<string>> {
  const poolOf = await instancesOnceBegun(fleet, ids)
  const missing = ids.filter((id) => !poolOf.has(id))
  if (missing.length > 0) throw isUnknown(missing)
  return new Set(ids.map((id) => poolOf.get(id)!))
}

export function busyHere({ status }: FleetControl, ids: readonly string[]): string[] {
  const busy = new Set(
    status().pools.flatMap(({ snapshot }) =>
      (snapshot?.agents ?? []).flatMap((agent) => (agent.busy ? [agent.id] : [])),
    ),
  )
  return ids.filter((id) => busy.has(id))
}

/** What blocks removals in the pools now: the order is kept, and is carried out when nothing blocks it any more. */
function waitsOf({ status }: FleetControl, pools: Set<string>, blind: readonly string[]): Removed['waits'] {
  return status()
    .pools.filter(({ pool }) => pools.has(pool))
    .flatMap(({ pool, blocked, snapshot }) =>
      blocked
        .filter(({ code }) => blind.includes(code) || isStopping(code, snapshot?.holds ?? []))
        .map((hold) => ({ pool, ...reasonView(hold) })),
    )
}

/** Orphans that are not known to be idle: without force the order waits until they are. */
function orphansWaiting({ orphans }: FleetControl, ids: readonly string[]): Removed['waits'] {
  const unknown = orphans().orphans.filter(
    ({ id, next }) =>
      ids.includes(id) && next.kind === 'keep' && ['foreign', 'never', 'grace', 'unknown'].includes(next.why),
  )
  return [...new Set(unknown.map(({ pool }) => pool))].map((pool) => ({
    pool,
    ...reasonView({
      code: 'ORPHAN_UNKNOWN',
      numbers: { instances: unknown.filter((one) => one.pool === pool).length },
    }),
  }))
}

const blind: readonly string[] = ['DEMAND_MISSING', 'LISTING_MISSING', 'LISTING_PARTIAL']

function isStopping(code: string, holds: readonly { code: string; stops: readonly string[] }[]): boolean {
  return holds.some((hold) => hold.code === code && hold.stops.includes('remove'))
}

export function isUnknown(ids: readonly string[]): ProvisionError {
  return new ProvisionError(
    problem('INSTANCE_UNKNOWN', `not an instance of this provisioner: ${ids.join(', ')}`),
  )
}

export function isBusy(ids: readonly string[]): ProvisionError {
  const message = `${ids.join(', ')} ${ids.length === 1 ? 'is' : 'are'} busy`
  return new ProvisionError(problem('INSTANCE_BUSY', message, { details: { ids } }))
}
