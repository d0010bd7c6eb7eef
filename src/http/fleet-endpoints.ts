// The doors of a running provisioner below /v1, whichever listener they are on. docs/control.md is their description.

import type { MasterConfig } from '../config/master-config.ts'
import type { Handler } from '../platform/ports.ts'
import type { ProblemCode } from '../problems/codes.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import { isProvided } from '../provisioner/prepare.ts'
import type { Provisioner } from '../provisioner/provisioner.ts'
import { readDecisions } from '../provisioner/read-decisions.ts'
import { failedSummary, poolDetails, poolSummary } from './fleet-views.ts'
import { drainBody, emptyBody, eventQuery, launchBody, readBody, terminateBody } from './order-bodies.ts'
import { problemView } from './reason-view.ts'
import { drainVms, terminateVms, undrainVms } from './removals.ts'
import { answerRoutes, type Call, ok, type Reply, type Route } from './router.ts'
import { agentRows, instanceViews } from './vm-views.ts'

export interface ControlOptions {
  provisioner: Omit<Provisioner, 'start' | 'stop'>
  config: MasterConfig
  /** About this process: what `GET /v1/status` begins with. */
  about: () => Record<string, unknown>
}

/** Who may knock is decided before it. */
export function controlHandler(options: ControlOptions): Handler {
  const routes = routesOf(options).map((route) => ({ ...route, answer: told(route.answer) }))
  return answerRoutes(routes, (status, text) => failure(status, problem('ORDER_REFUSED', text)))
}

function routesOf({ provisioner, config, about }: ControlOptions): Route[] {
  const providers = new Map(
    config.resource_pools.filter(isProvided).map((p) => [p.pool_name, p.provider.type]),
  )
  const providerOf = (pool: string) => providers.get(pool) ?? 'none'
  const inPool = (query: URLSearchParams) => {
    const wanted = query.get('pool')
    if (wanted !== null) provisioner.check(wanted)
    return provisioner.status().pools.filter(({ pool }) => wanted === null || pool === wanted)
  }
  const summaries = () => {
    const { pools, failed } = provisioner.status()
    return [
      ...pools.map((status) => poolSummary(status, providerOf(status.pool))),
      ...failed.map((pool) => failedSummary(pool, providerOf(pool.pool))),
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
    get('/v1/status', () => ({ ...about(), pools: summaries() })),
    get('/v1/pools', () => ({ pools: summaries() })),
    get('/v1/pools/:pool', ({ params: { pool = '' } }) => {
      provisioner.check(pool)
      const status = provisioner.status().pools.find((each) => each.pool === pool)!
      return { pool: poolDetails(status, providerOf(pool)) }
    }),
    get('/v1/instances', ({ query }) => ({ instances: instanceViews(inPool(query), provisioner.rows()) })),
    get('/v1/agents', ({ query }) => ({ agents: agentRows(inPool(query), provisioner.rows()) })),
    get('/v1/events', ({ query }) => ({ events: readDecisions(config, eventQuery(query)) })),
    order('pause', provisioner.pause),
    order('resume', provisioner.resume),
    order('adopt', async (pool) => ({ writers: await provisioner.adopt(pool) })),
    post('/v1/pools/:pool/launch', async ({ params: { pool = '' }, body }) => {
      const { count } = readBody(launchBody, body)
      return { pool, count, intent: await provisioner.launch(pool, count) }
    }),
    post('/v1/instances/drain', ({ body }) => drainVms(provisioner, readBody(drainBody, body).ids)),
    post('/v1/instances/undrain', ({ body }) => undrainVms(provisioner, readBody(drainBody, body).ids)),
    post('/v1/instances/terminate', ({ body }) => {
      const { ids, force } = readBody(terminateBody, body)
      return terminateVms(provisioner, ids, force)
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
