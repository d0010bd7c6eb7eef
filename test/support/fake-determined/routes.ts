// The REST routes of the fake master, with their permissions.
import { randomUUID } from 'node:crypto'
import { type Answer, failure, ok, paged } from './answer.ts'
import { command, experiment } from './submissions.ts'
import { agentView, jobViews, masterView, poolView, taskView } from './views.ts'
import { disable, enable, type FakeUser, type FakeWorld, mayUpdateAgents } from './world.ts'

export interface Asked {
  method: string
  path: string
  query: URLSearchParams
  body: Record<string, unknown>
  token?: string
}

export function answer(world: FakeWorld, asked: Asked): Answer {
  const { method, path, body, token } = asked
  if (path === '/api/v1/master') return ok(masterView(world))
  if (path === '/info') return ok({ version: world.version, cluster_id: world.clusterId })
  if (path === '/api/v1/auth/login' && method === 'POST') return logIn(world, body)
  if (token === undefined) return failure(401, 'token missing')
  const name = world.sessions.get(token)
  const user = name === undefined ? undefined : world.users.get(name)
  if (!user) return failure(401, 'invalid credentials')
  if (path === '/api/v1/auth/logout') {
    world.sessions.delete(token)
    return ok({})
  }
  if (path === '/api/v1/auth/user')
    return ok({ user: { id: 1, username: name, admin: user.admin, active: true } })
  return method === 'GET' ? show(world, asked, user) : change(world, asked, user)
}

function logIn(world: FakeWorld, { username, password }: Record<string, unknown>): Answer {
  const user = world.users.get(String(username))
  if (!user || user.password !== password) return failure(401, 'invalid credentials')
  if (user.isInactive) return failure(403, 'user not active')
  const token = `token-${randomUUID()}`
  world.sessions.set(token, String(username))
  return ok({ token, user: { username, admin: user.admin } })
}

function show(world: FakeWorld, { path, query }: Asked, viewer: FakeUser): Answer {
  const [, id] = /^\/api\/v1\/experiments\/(\d+)$/.exec(path) ?? []
  if (id !== undefined) {
    const found = world.experiments.get(Number(id))
    if (!found) return failure(404, `experiment '${id}' not found`)
    const config = { resources: found.maxSlots === undefined ? {} : { max_slots: found.maxSlots } }
    return ok({ experiment: { id: found.id, config }, config })
  }
  const [, agentId] = /^\/api\/v1\/agents\/([^/]+)$/.exec(path) ?? []
  if (agentId !== undefined) {
    const agent = world.agents.get(decodeURIComponent(agentId))
    return agent ? ok({ agent: agentView(world, agent) }) : failure(404, `agent '${agentId}' not found`)
  }
  switch (path) {
    case '/api/v1/agents': {
      const excludeContainers = query.get('excludeContainers') === 'true'
      const agents = [...world.agents.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
      return paged(
        'agents',
        agents.map((agent) => agentView(world, agent, excludeContainers)),
        query,
      )
    }
    case '/api/v1/master/config':
      if (!viewer.admin) return failure(403, 'rpc error: code = PermissionDenied desc = access denied')
      return ok({ config: { launch_error: world.launchError, cluster_name: 'fake' } })
    case '/api/v1/tasks': {
      const visible = [...world.work.values()].filter(({ hidden }) => viewer.admin || !hidden)
      return ok({
        allocationIdToSummary: Object.fromEntries(visible.map((work) => [work.id, taskView(world, work)])),
      })
    }
    case '/api/v1/resource-pools':
      return paged(
        'resourcePools',
        [...world.pools.keys()].map((name) => poolView(world, name)),
        query,
      )
    case '/api/v1/job-queues-v2': {
      const pool = query.get('resourcePool') || 'default'
      if (!world.pools.has(pool)) return failure(500, `cannot find resource pool ${pool}`, { internal: true })
      return paged('jobs', jobViews(world, pool, viewer), query, 100)
    }
    default:
      return failure(404, 'not found')
  }
}

function change(world: FakeWorld, { path, body }: Asked, user: FakeUser): Answer {
  if (path === '/api/v1/commands') return command(world, body as { slots: number })
  if (path === '/api/v1/experiments') return experiment(world, body as { slots: number })
  const [, id = '', verb] = /^\/api\/v1\/agents\/([^/]+)\/(enable|disable)$/.exec(path) ?? []
  if (!verb) return failure(404, 'not found')
  // Before the agent is looked up: so a request about an agent that does not exist shows the permission.
  if (!mayUpdateAgents(world, user))
    return failure(403, 'rpc error: code = PermissionDenied desc = user does not have permission')
  const agent = world.agents.get(decodeURIComponent(id))
  if (!agent) return failure(404, `agent '${id}' not found`)
  if (agent.away) return failure(500, 'agent disconnected, wait for recovery')
  if (!agent.devices) return failure(500, `can't ${verb} agent: agent not started`)
  const draining = verb === 'disable' && body['drain'] === true
  if (verb === 'enable') enable(world, agent.id)
  else disable(world, agent.id, draining)
  return ok({ agent: agentView(world, agent) })
}
