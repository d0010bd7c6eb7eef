// The doors of a running provisioner below /v1, whichever listener they are on. docs/control.md is their description.

import * as z from 'zod/mini'
import type { Track } from '../fleet/memory.ts'
import type { Handler } from '../platform/ports.ts'
import { firstWrong } from '../platform/schema-words.ts'
import type { ProblemCode } from '../problems/codes.ts'
import { type Problem, ProvisionError, problem } from '../problems/problem.ts'
import type { FleetControl } from './fleet-control.ts'
import {
  agentRows,
  failedSummary,
  instanceViews,
  poolDetails,
  poolSummary,
  problemView,
  reasonView,
} from './fleet-views.ts'
import { answerRoutes, type Call, ok, type Reply, type Route } from './router.ts'

/** Who may knock is decided before it. */
export function controlHandler(fleet: FleetControl): Handler {
  const routes = routesOf(fleet).map((route) => ({ ...route, answer: told(route.answer) }))
  return answerRoutes(routes, (status, text) => failure(status, problem('ORDER_REFUSED', text)))
}

function routesOf(fleet: FleetControl): Route[] {
  const inPool = (query: URLSearchParams) => {
    const wanted = query.get('pool')
    if (wanted !== null) fleet.check(wanted)
    return fleet.status().pools.filter(({ pool }) => wanted === null || pool === wanted)
  }
  const summaries = () => {
    const { pools, failed } = fleet.status()
    return [
      ...pools.map((status) => poolSummary(status, fleet.providerOf(status.pool))),
      ...failed.map((pool) => failedSummary(pool, fleet.providerOf(pool.pool))),
    ]
  }
  const get = (path: string, answer: (call: Call) => unknown): Route => ({
    method: 'GET',
    path,
    answer: async (call) => ok(await answer(call)),
  })
  const post = (path: string, answer: (call: Call) => unknown): Route => ({
    ...get(path, answer),
    method: 'POST',
  })
  const order = (name: string, act: (pool: string) => Promise<unknown>) =>
    post(`/v1/pools/:pool/${name}`, async ({ params: { pool = '' }, body }) => {
      readBody(emptyBody, body)
      return { pool, ...((await act(pool)) as object | undefined) }
    })

  return [
    get('/v1/status', () => ({ ...fleet.about(), pools: summaries() })),
    get('/v1/pools', () => ({ pools: summaries() })),
    get('/v1/pools/:pool', ({ params: { pool = '' } }) => {
      fleet.check(pool)
      const status = fleet.status().pools.find((each) => each.pool === pool)!
      return { pool: poolDetails(status, fleet.providerOf(pool), fleet.snapshotOf(status)) }
    }),
    get('/v1/instances', ({ query }) => ({ instances: instanceViews(inPool(query), fleet.rows()) })),
    get('/v1/agents', ({ query }) => ({ agents: agentRows(inPool(query), fleet.rows()) })),
    get('/v1/events', ({ query }) => ({ events: fleet.events(eventQuery(query)) })),
    order('pause', fleet.pause),
    order('resume', fleet.resume),
    order('adopt', async (pool) => ({ writers: await fleet.adopt(pool) })),
    post('/v1/pools/:pool/launch', async ({ params: { pool = '' }, body }) => {
      const { count } = readBody(launchBody, body)
      return { pool, count, intent: await fleet.launch(pool, count) }
    }),
    post('/v1/instances/drain', ({ body }) => drainVms(fleet, readBody(drainBody, body).ids)),
    post('/v1/instances/undrain', ({ body }) => undrainVms(fleet, readBody(drainBody, body).ids)),
    post('/v1/instances/terminate', ({ body }) => {
      const { ids, force } = readBody(terminateBody, body)
      return terminateVms(fleet, ids, force)
    }),
  ]
}

const statuses: Partial<Record<ProblemCode, number>> = {
  ORDER_REFUSED: 400,
  POOL_UNKNOWN: 404,
  INSTANCE_UNKNOWN: 404,
}

/** Problems are answers; 409 unless the request itself was wrong. Faults of ours are left to the listener. */
function told(answer: Route['answer']): Route['answer'] {
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

function failure(status: number, first: ProvisionError['problems'][number]): Reply {
  return { status, value: { error: problemView(first) } }
}

// The bodies of orders, checked at the door.

const ids = z
  .array(z.string().check(z.minLength(1), z.maxLength(256)))
  .check(z.minLength(1), z.maxLength(10_000))

export const launchBody = z.strictObject({ count: z.int().check(z.gte(1), z.lte(100_000)) })
export const drainBody = z.strictObject({ ids })
export const terminateBody = z.strictObject({ ids, force: z._default(z.boolean(), false) })
export const emptyBody = z.strictObject({})

const wholeNumber = z.optional(z.coerce.number().check(z.int(), z.gte(0), z.lte(1e15)))
const eventWords = z.object({ pool: z.optional(z.string()), since: wholeNumber, limit: wholeNumber })
const mostEvents = 10_000

/** Of `GET /v1/events`. Throws ORDER_REFUSED. */
export function eventQuery(query: URLSearchParams): { pool?: string; since?: number; limit: number } {
  const { limit = 100, ...rest } = readBody(eventWords, Object.fromEntries(query))
  return { ...rest, limit: Math.min(limit, mostEvents) }
}

/** Throws ORDER_REFUSED with the first thing that is wrong. */
export function readBody<T>(schema: z.ZodMiniType<T>, body: unknown): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw new ProvisionError(problem('ORDER_REFUSED', firstWrong(parsed.error.issues, 'the body')))
}

// Orders to remove VMs: every id is looked at before anything is done about one.

type Fleet = Pick<FleetControl, 'status' | 'drain' | 'undrain' | 'terminate'>

/** Throws INSTANCE_UNKNOWN; nothing is done then. */
export async function drainVms(fleet: Fleet, ids: string[]) {
  const pools = poolsOf(fleet, ids)
  return { ids: await fleet.drain(ids), waits: waitsOf(fleet, pools, blind) }
}

/** Throws INSTANCE_UNKNOWN; nothing is done then. `ids` are those that stay: others had no such order, or are ended already. */
export async function undrainVms(fleet: Fleet, ids: string[]) {
  poolsOf(fleet, ids)
  return { ids: await fleet.undrain(ids), waits: [] }
}

/** Throws INSTANCE_UNKNOWN, or INSTANCE_BUSY without `force`; nothing is done then. */
export async function terminateVms(fleet: Fleet, ids: string[], force: boolean) {
  const pools = poolsOf(fleet, ids)
  const busy = force ? [] : busyOnes(fleet, ids)
  if (busy.length > 0) throw new ProvisionError(isBusy(busy))
  // Without force each is drained first and looked at again, so work that came this moment is not lost either.
  const ended = await (force ? fleet.terminate(ids) : fleet.drain(ids))
  // By force no word of the master is needed.
  const needs = force ? blind.filter((code) => code !== 'DEMAND_MISSING') : blind
  return { ids: ended, waits: waitsOf(fleet, pools, needs) }
}

function poolsOf({ status }: Fleet, ids: string[]): Set<string> {
  const poolOf = new Map(
    status().pools.flatMap(({ pool, instances }) => instances.map((track: Track) => [track.id, pool])),
  )
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

/** What keeps the pools from removing anything now: the order stands, and is carried out when that is over. */
function waitsOf({ status }: Fleet, pools: Set<string>, blind: readonly string[]) {
  return status()
    .pools.filter(({ pool }) => pools.has(pool))
    .flatMap(({ pool, holds, snapshot }) =>
      holds
        .filter(({ code }) => blind.includes(code) || isStopping(code, snapshot?.holds ?? []))
        .map((hold) => ({ pool, ...reasonView(hold) })),
    )
}

const blind: readonly string[] = ['DEMAND_MISSING', 'LISTING_MISSING', 'LISTING_PARTIAL']

function isStopping(code: string, holds: readonly { code: string; stops: readonly string[] }[]): boolean {
  return holds.some((hold) => hold.code === code && hold.stops.includes('remove'))
}

function isUnknown(ids: string[]): Problem {
  return problem('INSTANCE_UNKNOWN', `not among the VMs of this provisioner: ${ids.join(', ')}`)
}

function isBusy(ids: string[]): Problem {
  const message = `${ids.join(', ')} ${ids.length === 1 ? 'has' : 'have'} work`
  return problem('INSTANCE_BUSY', message, { details: { ids } })
}
