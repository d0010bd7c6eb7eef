// Enable, disable, drain: POST /api/v1/agents/:id/enable and /disable {"drain": true} (origin: agentrm/agent.go).
import type { Agent } from './agent.ts'
import { failure, type Reply, type Route } from './router.ts'

export interface AgentOrdersOptions {
  get: (id: string) => Agent | undefined
  order: (id: string, order: { enabled: boolean; draining: boolean }) => Agent | undefined
  /** Ends what runs on it. */
  killOn: (id: string, reason: string) => void
  show: (agent: Agent) => Reply
}

export function agentOrderRoutes({ get, order, killOn, show }: AgentOrdersOptions): Route[] {
  function change(id: string, enabled: boolean, draining: boolean): Reply {
    const agent = get(id)
    if (!agent) return failure(404, `agent '${id}' not found`)
    if (agent.phase === 'connecting') return failure(409, `agent '${id}' has not started`)
    if (agent.phase !== 'joined') return failure(409, 'agent disconnected, wait for recovery')
    const ordered = order(id, { enabled, draining }) ?? agent
    if (!enabled && !draining) killOn(id, 'its agent was disabled')
    return show(ordered)
  }
  return [
    {
      method: 'POST',
      path: '/api/v1/agents/:id/enable',
      answer: ({ params: { id = '' } }) => change(id, true, false),
    },
    {
      method: 'POST',
      path: '/api/v1/agents/:id/disable',
      answer: ({ params: { id = '' }, body }) => {
        const { drain = false } = body
        if (typeof drain !== 'boolean') return failure(400, 'drain must be true or false')
        return change(id, false, drain)
      },
    },
  ]
}
