// GET /api/v1/agents and /api/v1/agents/:id.
import type { Container } from '../protocol/container.ts'
import type { Agent } from './agent.ts'
import { type AgentViewOptions, agentView } from './agent-view.ts'
import { isTrue, page } from './paging.ts'
import { failure, ok, type Route } from './router.ts'

export interface AgentRoutesOptions {
  list: () => Agent[]
  get: (id: string) => Agent | undefined
  /** Containers of all sizes that have not ended. */
  heldOn: (agentId: string) => Container[]
}

export function agentRoutes({ list, get, heldOn }: AgentRoutesOptions): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/agents',
      answer: ({ query }) => {
        const cut = page(sorted(list(), query), query)
        if (!cut.ok) return failure(400, cut.message)
        const options: AgentViewOptions = {
          excludeSlots: isTrue(query.get('excludeSlots')),
          excludeContainers: isTrue(query.get('excludeContainers')),
        }
        const agents = cut.items.map((agent) => agentView(agent, heldOn(agent.id), options))
        return ok({ agents, pagination: cut.pagination })
      },
    },
    {
      method: 'GET',
      path: '/api/v1/agents/:id',
      answer: ({ params }) => {
        const agent = get(params['id']!)
        if (!agent) return failure(404, `agent '${params['id']}' not found`)
        return ok({ agent: agentView(agent, heldOn(agent.id)) })
      },
    },
  ]
}

/** By id, unless `sortBy=SORT_BY_TIME`; `orderBy=ORDER_BY_DESC` turns it round. */
function sorted(agents: Agent[], query: URLSearchParams): Agent[] {
  const list = [...agents]
  if (query.get('sortBy') === 'SORT_BY_TIME') list.sort((a, b) => a.registeredAt - b.registeredAt)
  return query.get('orderBy') === 'ORDER_BY_DESC' ? list.reverse() : list
}
