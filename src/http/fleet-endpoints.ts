// The endpoints of a running provisioner below /v1, on any listener. docs/operate/control.md describes them.

import type * as z from 'zod/mini'
import { firstWrong, type Handler } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import { type agentsSchema, agentViews } from './agent-view.ts'
import type { SharedFleet } from './elsewhere.ts'
import { type EventQuery, eventLimits, eventQuerySchema, type eventsSchema } from './event-view.ts'
import { failure, type Order, replyOf } from './fleet-orders.ts'
import { type instancesSchema, instanceViews } from './instance-view.ts'
import { carryOutAnywhere } from './order-routing.ts'
import { drainOrderSchema, launchOrderSchema, poolOrderSchema, terminateOrderSchema } from './order-view.ts'
import { type OrphansView, orphansView } from './orphan-view.ts'
import {
  type FleetStatus,
  failedSummary,
  ownSummary,
  poolDetails,
  type poolStatusSchema,
} from './pool-view.ts'
import { type ListNotes, type ProblemView, problemView } from './reason-view.ts'
import { answerRoutes, type Call, ok, type Reply, type Route } from './router.ts'
import { orphansSummary } from './shared-view.ts'

/** An earlier handler does the authorization. */
export function controlHandler(fleet: SharedFleet): Handler {
  const routes = routesOf(fleet).map(({ answer, ...route }) => ({
    ...route,
    answer: (call: Call) => replyOf(async () => answer(call)),
  }))
  return answerRoutes(routes, (status, text) => failure(status, problem('ORDER_REFUSED', text)))
}

interface FleetRoute extends Omit<Route, 'answer'> {
  answer: (call: Call) => Reply | Promise<Reply>
}

function routesOf(fleet: SharedFleet): FleetRoute[] {
  const { elsewhere } = fleet
  const inPool = (query: URLSearchParams) => {
    const wanted = query.get('pool')
    if (wanted !== null) fleet.check(wanted)
    return fleet.status().pools.filter(({ pool }) => wanted === null || pool === wanted)
  }
  /** Of all pools that are led elsewhere, or of the named one if it is. */
  const shared = async (name: string | null) => {
    if (name === null) return elsewhere.pools()
    return { pools: elsewhere.has({ pool: name }) ? [await elsewhere.pool(name)] : [], problems: [] }
  }
  /** What a list must be read with. */
  const notes = (problems: readonly ProblemView[]): ListNotes => {
    const fault = fleet.fault()
    const known = problems.length > 0 || !fault ? problems : [problemView(fault)]
    return { standby: fleet.about().standby, problems: [...known] }
  }
  const summaries = async () => {
    const { pools, failed } = fleet.status()
    const all = [
      ...pools.map((status) => ownSummary(status, fleet.placeOf(status.pool), fleet.fault())),
      ...failed.map((pool) => failedSummary(pool, fleet.placeOf(pool.pool))),
      ...(await elsewhere.summaries()),
    ]
    const places = new Map(fleet.names?.().map((name, n) => [name, n]))
    const placeOf = ({ pool }: { pool: string }) => places.get(pool) ?? places.size
    return all.sort((a, b) => placeOf(a) - placeOf(b))
  }
  const get = <View>(path: string, answer: (call: Call) => View | Promise<View>): FleetRoute => ({
    method: 'GET',
    path,
    answer: async (call) => ok(await answer(call)),
  })
  const order = (path: string, read: (call: Call) => Order): FleetRoute => ({
    method: 'POST',
    path,
    answer: (call) => carryOutAnywhere(fleet, read(call)),
  })
  const poolOrder = (kind: 'pause' | 'resume' | 'adopt') =>
    order(`/v1/pools/:pool/${kind}`, ({ params: { pool = '' }, body }) => {
      readBody(poolOrderSchema, body)
      return { kind, pool }
    })

  const rolloutOrder = (kind: 'pause' | 'restart') =>
    order(`/v1/pools/:pool/rollout/${kind}`, ({ params: { pool = '' }, body }) => {
      readBody(poolOrderSchema, body)
      return { kind: `${kind}_rollout`, pool }
    })

  return [
    get<FleetStatus>('/v1/status', async () => {
      const [pools, there] = await Promise.all([summaries(), elsewhere.orphansSummary()])
      const orphans = there ?? orphansSummary(orphansView(fleet.orphans()))
      return {
        ...fleet.about(),
        pools,
        orphans: orphans.orphans,
        problems: [...fleet.problems().map(problemView), ...orphans.problems],
      }
    }),
    get<OrphansView>('/v1/orphans', async () => (await elsewhere.orphans()) ?? orphansView(fleet.orphans())),
    order('/v1/orphans/adopt', ({ body }) => {
      readBody(poolOrderSchema, body)
      return { kind: 'adopt_orphans' }
    }),
    get<Pick<FleetStatus, 'pools'>>('/v1/pools', async () => ({ pools: await summaries() })),
    get<z.output<typeof poolStatusSchema>>('/v1/pools/:pool', async ({ params: { pool = '' } }) => {
      if (elsewhere.has({ pool })) return { pool: (await elsewhere.pool(pool)).details }
      fleet.check(pool)
      const status = fleet.status().pools.find((each) => each.pool === pool)!
      return { pool: poolDetails(status, fleet.placeOf(pool), fleet.snapshotOf(status), fleet.fault()) }
    }),
    get<z.output<typeof instancesSchema>>('/v1/instances', async ({ query }) => {
      const { pools: there, problems } = await shared(query.get('pool'))
      const here = there.length > 0 && query.has('pool') ? [] : inPool(query)
      return {
        instances: [...instanceViews(here, fleet.rows()), ...there.flatMap(({ instances }) => instances)],
        ...notes(problems),
      }
    }),
    get<z.output<typeof agentsSchema>>('/v1/agents', async ({ query }) => {
      const others = await fleet.otherAgents(query.get('pool') ?? undefined)
      const { pools: there, problems } = await shared(query.get('pool'))
      // A pool without a provider does not run here, and can still be asked for.
      const isOther = query.has('pool') && others.length + there.length > 0
      const own = (isOther ? [] : inPool(query)).map(({ pool, snapshot }) => ({
        pool,
        agents: snapshot?.agents ?? [],
      }))
      return {
        agents: [...agentViews([...own, ...others], fleet.rows()), ...there.flatMap(({ agents }) => agents)],
        ...notes(problems),
      }
    }),
    get<z.output<typeof eventsSchema>>('/v1/events', async ({ query }) => ({
      events: await fleet.events(eventQuery(query)),
    })),
    ...(['pause', 'resume', 'adopt'] as const).map(poolOrder),
    ...(['pause', 'restart'] as const).map(rolloutOrder),
    order('/v1/pools/:pool/launch', ({ params: { pool = '' }, body }) => ({
      kind: 'launch',
      pool,
      ...readBody(launchOrderSchema, body),
    })),
    ...(['drain', 'undrain'] as const).map((kind) =>
      order(`/v1/instances/${kind}`, ({ body }) => ({ kind, ...readBody(drainOrderSchema, body) })),
    ),
    order('/v1/instances/terminate', ({ body }) => ({
      kind: 'terminate',
      ...readBody(terminateOrderSchema, body),
    })),
  ]
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
