// A master in a hundred lines: a queue of jobs, agents that poll for them over TLS, and the demand for the provisioner.
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { PushedDemand } from 'dynamic-agent-provisioner'

interface Agent {
  slots: number
  draining: boolean
  /** Id of the job it runs. */
  work: string | undefined
  /** Milliseconds since the epoch: the agent should poll again before this time. */
  expectedBy: number
}

interface Work {
  slots: number
  seconds: number
}

export interface TinyMaster {
  submit(id: string, work: Work): void
  /** Jobs that are not done yet. */
  readonly left: number
  /** The demand at this moment, for the provisioner. */
  demand(): PushedDemand
  onChange(listener: () => void): void
  /** From now on the agent gets no jobs. False if there is no such agent. */
  drain(agentId: string): boolean
  undrain(agentId: string): boolean
  close(): Promise<void>
}

export async function startTinyMaster(tls: { cert: string; key: string }, port: number): Promise<TinyMaster> {
  const pending = new Map<string, Work>()
  const agents = new Map<string, Agent>()
  const listeners: (() => void)[] = []
  const changed = () => {
    for (const listener of listeners) listener()
  }

  /** An agent that polls has finished its previous job. */
  function next(id: string, slots: number): Work | undefined {
    const agent = agents.get(id) ?? { slots, draining: false, work: undefined, expectedBy: 0 }
    agents.set(id, agent)
    const [found] = agent.draining ? [] : [...pending].filter(([, work]) => work.slots <= slots)
    agent.work = found?.[0]
    agent.expectedBy = Date.now() + ((found?.[1].seconds ?? 0) + 10) * 1000
    if (found) pending.delete(found[0])
    return found?.[1]
  }

  const server = createServer(tls, (request, response) => {
    const url = new URL(request.url ?? '/', 'https://master')
    const [, id] = /^\/agents\/([^/]+)$/.exec(url.pathname) ?? []
    if (request.method === 'POST' && id) {
      const work = next(decodeURIComponent(id), Number(url.searchParams.get('slots')))
      response.end(work ? String(work.seconds) : '')
      changed()
    } else if (url.pathname === '/info') {
      // The first request of agents; the provisioner sends it before it launches any.
      response.end(JSON.stringify({ version: 'tiny', cluster_id: 'tiny' }))
    } else response.writeHead(404).end()
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  function setDraining(id: string, draining: boolean): boolean {
    const agent = agents.get(id)
    if (agent) agent.draining = draining
    changed()
    return agent !== undefined
  }

  return {
    submit(id, work) {
      pending.set(id, work)
      changed()
    },
    get left() {
      return pending.size + [...agents.values()].filter(({ work }) => work !== undefined).length
    },
    demand: () => ({
      pending: [...pending].map(([id, { slots }]) => ({ id, slots })),
      agents: [...agents].map(([id, { slots, work, draining, expectedBy }]) => ({
        id,
        slots,
        freeSlots: work === undefined ? slots : 0,
        busy: work !== undefined,
        draining,
        connected: Date.now() < expectedBy,
      })),
    }),
    onChange: (listener) => void listeners.push(listener),
    drain: (id) => setDraining(id, true),
    undrain: (id) => setDraining(id, false),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
