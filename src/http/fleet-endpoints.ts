// The endpoints of a running provisioner below /v1, on any listener. docs/operate/control.md describes them.

import type * as z from 'zod/mini'
import type { ManagedInstance } from '../fleet/index.ts'
import { firstWrong, type Handler } from '../platform/index.ts'
import { type Problem, type ProblemCode, ProvisionError, problem } from '../problems/index.ts'
import { type agentsSchema, agentViews } from './agent-view.ts'
import { type EventQuery, eventLimits, eventQuerySchema, type eventsSchema } from './event-view.ts'
import type { FleetControl } from './fleet-control.ts'
import { type instancesSchema, instanceViews } from './instance-view.ts'
import {
  type Accepted,
  type Adopted,
  type AdoptedOrphans,
  drainOrderSchema,
  type Launched,
  launchOrderSchema,
  poolOrderSchema,
  type Removed,
  terminateOrderSchema,
} from './order-view.ts'
import { type OrphansView, orphansView } from './orphan-view.ts'
import {
  type FleetStatus,
  failedSummary,
  poolDetails,
  type poolStatusSchema,
  poolSummary,
  standbySummary,
} from './pool-view.ts'
import { problemView, type Refusal, reasonView } from './reason-view.ts'
import { answerRoutes, type Call, ok, type Reply, type Route } from './router.ts'

/** An earlier handler does the authorization. */
export function controlHandler(fleet: FleetControl): Handler {
  const routes = routesOf(fleet).map((route) => ({ ...route, answer: withProblems(route.answer) }))
  return answerRoutes(routes, (status, text) => failure(status, problem('ORDER_REFUSED', text)))
}

function routesOf(fleet: FleetControl): Route[] {
  const inPool = (query: URLSearchParams) => {
    const wanted = query.get('pool')
    if (wanted !== null) fleet.check(wanted)
    return fleet.status().pools.filter(({ pool }) => wanted === null || pool === wanted)
  }
  const summaries = () => {
    const { pools, failed, elsewhere } = fleet.status()
    return [
      ...pools.map((status) => poolSummary(status, fleet.placeOf(status.pool))),
      ...failed.map((pool) => failedSummary(pool, fleet.placeOf(pool.pool))),
      ...elsewhere.map((pool) => standbySummary(pool, fleet.placeOf(pool))),
    ]
  }
  const get = <View>(path: string, answer: (call: Call) => View | Promise<View>): Route => ({
    method: 'GET',
    path,
    answer: async (call) => ok(await answer(call)),
  })
  const post = <View>(path: string, answer: (call: Call) => View | Promise<View>): Route => ({
    ...get(path, answer),
    method: 'POST',
  })
  const order = <View>(name: string, act: (pool: string) => Promise<View>) =>
    post(`/v1/pools/:pool/${name}`, ({ params: { pool = '' }, body }) => {
      readBody(poolOrderSchema, body)
      return act(pool)
    })

  return [
    get<FleetStatus>('/v1/status', () => ({
      ...fleet.about(),
      pools: summaries(),
      orphans: fleet.orphans().orphans.length,
      problems: [...fleet.problems(), ...fleet.orphans().problems].map(problemView),
    })),
    get<OrphansView>('/v1/orphans', () => orphansView(fleet.orphans())),
    post<AdoptedOrphans>('/v1/orphans/adopt', async ({ body }) => {
      readBody(poolOrderSchema, body)
      return { writers: await fleet.adoptOrphans() }
    }),
    get<Pick<FleetStatus, 'pools'>>('/v1/pools', () => ({ pools: summaries() })),
    get<z.output<typeof poolStatusSchema>>('/v1/pools/:pool', ({ params: { pool = '' } }) => {
      fleet.check(pool)
      const status = fleet.status().pools.find((each) => each.pool === pool)!
      return { pool: poolDetails(status, fleet.placeOf(pool), fleet.snapshotOf(status)) }
    }),
    get<z.output<typeof instancesSchema>>('/v1/instances', ({ query }) => ({
      instances: instanceViews(inPool(query), fleet.rows()),
    })),
    get<z.output<typeof agentsSchema>>('/v1/agents', async ({ query }) => {
      const others = await fleet.otherAgents(query.get('pool') ?? undefined)
      // A pool without a provider does not run here, and can still be asked for.
      const isOther = query.has('pool') && others.length > 0
      const own = (isOther ? [] : inPool(query)).map(({ pool, snapshot }) => ({
        pool,
        agents: snapshot?.agents ?? [],
      }))
      return { agents: agentViews([...own, ...others], fleet.rows()) }
    }),
    get<z.output<typeof eventsSchema>>('/v1/events', async ({ query }) => ({
      events: await fleet.events(eventQuery(query)),
    })),
    order<Accepted>('pause', async (pool) => {
      await fleet.pause(pool)
      return { pool }
    }),
    order<Accepted>('resume', async (pool) => {
      await fleet.resume(pool)
      return { pool }
    }),
    order<Adopted>('adopt', async (pool) => ({ pool, writers: await fleet.adopt(pool) })),
    post<Launched>('/v1/pools/:pool/launch', async ({ params: { pool = '' }, body }) => {
      const { count } = readBody(launchOrderSchema, body)
      return { pool, count, intent: await fleet.launch(pool, count) }
    }),
    post<Removed>('/v1/instances/drain', ({ body }) => drain(fleet, readBody(drainOrderSchema, body).ids)),
    post<Removed>('/v1/instances/undrain', ({ body }) =>
      undrain(fleet, readBody(drainOrderSchema, body).ids),
    ),
    post<Removed>('/v1/instances/terminate', ({ body }) => {
      const { ids, force } = readBody(terminateOrderSchema, body)
      return terminate(fleet, ids, force)
    }),
  ]
}

const statuses: Partial<Record<ProblemCode, number>> = {
  ORDER_REFUSED: 400,
  POOL_UNKNOWN: 404,
  INSTANCE_UNKNOWN: 404,
}

/** Problems become responses: 409 unless the request itself was wrong. Internal errors are left to the listener. */
function withProblems(answer: Route['answer']): Route['answer'] {
  return async (call) => {
    try {
      return await answer(call)
    } catch (error) {
      if (!(error instanceof ProvisionError)) throw error
      const [first] = error.problems
      return failure((error.code && statuses[error.code]) ?? 409, first!)
    }
  }
}

function failure(status: number, first: Problem): Reply {
  return { status, value: { error: problemView(first) } satisfies Refusal }
}

/** Throws ORDER_REFUSED. */
function eventQuery(query: URLSearchParams): EventQuery & { limit: number } {
  const { limit = eventLimits.default, ...rest } = readBody(eventQuerySchema, Object.fromEntries(query))
  return { ...rest, limit: Math.min(limit, eventLimits.most) }
}

/** Throws ORDER_REFUSED with the first thing that is wrong. */
function readBody<T>(schema: z.ZodMiniType<T>, body: unknown): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw new ProvisionError(problem('ORDER_REFUSED', firstWrong(parsed.error.issues, 'the body')))
}

// Orders to remove instances check every id before any instance is changed.

type Fleet = Pick<FleetControl, 'status' | 'orphans' | 'drain' | 'undrain' | 'terminate'>

/** Throws INSTANCE_UNKNOWN and then changes nothing. */
async function drain(fleet: Fleet, ids: string[]): Promise<Removed> {
  const pools = poolsOf(fleet, ids)
  return {
    ids: await fleet.drain(ids),
    waits: [...waitsOf(fleet, pools, blind), ...orphansWaiting(fleet, ids)],
  }
}

/** Throws INSTANCE_UNKNOWN and then changes nothing. `ids` are those that stay: others had no such order, or are terminated already. */
async function undrain(fleet: Fleet, ids: string[]): Promise<Removed> {
  poolsOf(fleet, ids)
  return { ids: await fleet.undrain(ids), waits: [] }
}

/** Throws INSTANCE_UNKNOWN, or INSTANCE_BUSY without `force`, and then changes nothing. */
async function terminate(fleet: Fleet, ids: string[], force: boolean): Promise<Removed> {
  const pools = poolsOf(fleet, ids)
  const busy = force ? [] : busyOnes(fleet, ids)
  if (busy.length > 0) throw new ProvisionError(isBusy(busy))
  // Without force each is drained first and checked again, so that a job that was just placed is not lost either.
  const ended = await (force ? fleet.terminate(ids) : fleet.drain(ids))
  // A forced removal does not need the demand.
  const needs = force ? blind.filter((code) => code !== 'DEMAND_MISSING') : blind
  return {
    ids: ended,
    waits: [...waitsOf(fleet, pools, needs), ...(force ? [] : orphansWaiting(fleet, ids))],
  }
}

function poolsOf({ status, orphans }: Fleet, ids: string[]): Set<string> {
  const poolOf = new Map(
    status().pools.flatMap(({ pool, instances }) =>
      instances.map((track: ManagedInstance) => [track.id, pool]),
    ),
  )
  for (const { id, pool } of orphans().orphans) poolOf.set(id, pool)
  const missing = ids.filter((id) => !poolOf.has(id))
  if (missing.length > 0) throw new ProvisionError(isUnknown(missing))
  return new Set(ids.map((id) => poolOf.get(id)!))
}

function busyOnes({ status }: Fleet, ids: string[]): string[] {
  const busy = new Set(
    status().pools.flatMap(({ snapshot }) =>
      (snapshot?.agents ?? []).flatMap((agent) => (agent.busy ? [agent.id] : [])),
    ),
  )
  return ids.filter((id) => busy.has(id))
}

/** What blocks removals in the pools now: the order is kept, and is carried out when nothing blocks it any more. */
function waitsOf({ status }: Fleet, pools: Set<string>, blind: readonly string[]): Removed['waits'] {
  return status()
    .pools.filter(({ pool }) => pools.has(pool))
    .flatMap(({ pool, blocked, snapshot }) =>
      blocked
        .filter(({ code }) => blind.includes(code) || isStopping(code, snapshot?.holds ?? []))
        .map((hold) => ({ pool, ...reasonView(hold) })),
    )
}

/** Orphans that are not known to be idle: without force the order waits until they are. */
function orphansWaiting({ orphans }: Fleet, ids: readonly string[]): Removed['waits'] {
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

function isUnknown(ids: string[]): Problem {
  return problem('INSTANCE_UNKNOWN', `not an instance of this provisioner: ${ids.join(', ')}`)
}

function isBusy(ids: string[]): Problem {
  const message = `${ids.join(', ')} ${ids.length === 1 ? 'is' : 'are'} busy`
  return problem('INSTANCE_BUSY', message, { details: { ids } })
}
