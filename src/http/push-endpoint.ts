// Push over HTTP: PUT /v1/pools/{pool}/demand, answered with the agents to drain; GET /v1/pools/{pool}/drains.
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  createDrainList,
  createPushSource,
  type DemandSource,
  type DrainOrders,
  type ReadDemand,
  readPush,
} from '../demand/index.ts'
import type { Clock, Handler, Logger } from '../platform/index.ts'
import { type Problem, problem } from '../problems/index.ts'
import type { Refusal } from './reason-view.ts'
import { pathOf, readJson, sendJson } from './router.ts'

export interface PushEndpoint {
  source: DemandSource
  /** An earlier handler does the authorization. */
  handler: Handler
}

export interface PushEndpointOptions {
  /** Pools that accept pushes. */
  pools: readonly string[]
  /** Whether orphans of this pool run: then pushes for it are accepted, too. */
  hasOrphans?: (pool: string) => boolean
  /** Of this start of the program. */
  life: string
  clock: Clock
  logger: Logger
}

/** Bytes. Enough for about 50,000 agents or allocations. */
const largestBody = 16 * 1024 * 1024

export function openPushEndpoint({
  pools,
  hasOrphans,
  life,
  clock,
  logger,
}: PushEndpointOptions): PushEndpoint {
  const drains = createDrainList(life)
  const push = createPushSource({ ...drains, clock })
  const agentsOf = new Map<string, Set<string>>()
  const silent = new Set<string>()

  function ordersOf(pool: string): DrainOrders {
    const agents = agentsOf.get(pool)
    return drains.orders((id) => agents?.has(id) ?? false)
  }

  /**
   * `draining` counts when the master had applied our drain before it collected the demand; otherwise someone else drained
   * the agent. Until the master has applied our drain, its data shows neither a drained agent nor a cancelled drain.
   */
  function counted({ drainVersion, agents, ...rest }: ReadDemand): ReadDemand {
    return {
      ...rest,
      agents: agents.map((agent) => ({
        ...agent,
        draining: agent.draining && drains.isApplied(agent.id, drainVersion),
        enabled: agent.enabled && !agent.draining && !drains.isPending(agent.id, drainVersion),
      })),
    }
  }

  function take(pool: string, pushed: ReadDemand): void {
    const now = new Set(pushed.agents.map(({ id }) => id))
    for (const id of agentsOf.get(pool) ?? []) if (!now.has(id)) drains.forget(id)
    agentsOf.set(pool, now)
    if (ordersOf(pool).drain.length > 0 && pushed.drainVersion === undefined && !silent.has(pool)) {
      silent.add(pool)
      logger.warn(
        'the master does not report which drains it has applied (drainVersion): no idle instance is terminated',
        {
          pool,
        },
      )
    }
    push.take(pool, counted(pushed))
  }

  async function put(pool: string, request: IncomingMessage, response: ServerResponse): Promise<true> {
    const body = await readJson(request, largestBody)
    if (!body.ok) return sendProblem(response, body.status, refused(body.message))
    const read = readPush(body.value)
    if (!read.ok) return sendProblem(response, 400, refused(read.message))
    take(pool, read.pushed)
    return sendJson(response, 200, ordersOf(pool))
  }

  return {
    source: push.source,
    async handler(request, response) {
      const [, encoded = '', what] = /^\/v1\/pools\/([^/]+)\/(demand|drains)$/.exec(pathOf(request)) ?? []
      if (!what) return false
      const pool = decoded(encoded)
      if (pool === undefined || !(pools.includes(pool) || hasOrphans?.(pool)))
        return sendProblem(response, 404, unknown(pool ?? encoded, pools))
      const { method } = request
      if (what === 'demand' && method === 'PUT') return put(pool, request, response)
      if (what === 'drains' && (method === 'GET' || method === 'HEAD'))
        return sendJson(response, 200, ordersOf(pool))
      const allow = what === 'demand' ? 'PUT' : 'GET'
      return sendProblem(response, 405, refused(`method ${method} is not allowed for ${what}`), {
        Allow: allow,
      })
    },
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** Leaves out the cause. */
function sendProblem(
  response: ServerResponse,
  status: number,
  { code, message, remedy, details }: Problem,
  headers: Record<string, string> = {},
): true {
  return sendJson(response, status, { error: { code, message, remedy, details } } satisfies Refusal, headers)
}

function refused(message: string): Problem {
  return problem('PUSH_REFUSED', message)
}

function unknown(pool: string, pools: readonly string[]): Problem {
  return problem('POOL_UNKNOWN', `unknown pool ${pool}; pools of this provisioner: ${pools.join(', ')}`)
}
