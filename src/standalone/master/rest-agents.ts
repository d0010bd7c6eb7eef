// GET /api/v1/agents and /api/v1/agents/:id.
import type { Container, Device } from '../protocol/container.ts'
import { type Agent, type AgentOrder, shownDraining, shownEnabled } from './agent.ts'
import { failure, isTrue, ok, page, type Reply, type Route } from './rest-router.ts'

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

/** Sorted by id, or by time with `sortBy=SORT_BY_TIME`; `orderBy=ORDER_BY_DESC` reverses the order. */
function sorted(agents: Agent[], query: URLSearchParams): Agent[] {
  const list = [...agents]
  if (query.get('sortBy') === 'SORT_BY_TIME') list.sort((a, b) => a.registeredAt - b.registeredAt)
  return query.get('orderBy') === 'ORDER_BY_DESC' ? list.reverse() : list
}

// An agent in the shape of Determined's REST API (Determined: proto/src/determined/agent/v1/agent.proto).

const deviceTypeNames = {
  cpu: 'TYPE_CPU',
  cuda: 'TYPE_CUDA',
  rocm: 'TYPE_ROCM',
  '': 'TYPE_UNSPECIFIED',
} as const

export function deviceView(device: Device): Record<string, unknown> {
  return { ...device, type: deviceTypeNames[device.type] }
}

function stateName(container: Container): string {
  return `STATE_${container.state || 'UNSPECIFIED'}`
}

export function containerView(container: Container): Record<string, unknown> {
  return {
    parent: '',
    id: container.id,
    state: stateName(container),
    devices: container.devices.map(deviceView),
    permissionDenied: false,
  }
}

export interface AgentViewOptions {
  excludeSlots?: boolean
  excludeContainers?: boolean
}

/** `containers` are those on the agent; like Determined's, the response shows only those that use a slot. */
export function agentView(
  agent: Agent,
  containers: Container[],
  options: AgentViewOptions = {},
): Record<string, unknown> {
  const slots: Slot[] = agent.devices.map((device) => ({ device, container: holderOf(device, containers) }))
  const holders = new Map(slots.flatMap(({ container }) => (container ? [[container.id, container]] : [])))
  const enabled = shownEnabled(agent)
  const draining = shownDraining(agent)
  const slotView = ({ device, container }: Slot) => ({
    id: String(device.id),
    device: deviceView(device),
    enabled,
    draining,
    container: container ? containerView(container) : null,
  })
  return {
    id: agent.id,
    registeredTime: new Date(agent.registeredAt).toISOString(),
    slots: options.excludeSlots
      ? {}
      : Object.fromEntries(
          slots.map((slot) => [`/agents/${agent.id}/slots/${slot.device.id}`, slotView(slot)]),
        ),
    containers: options.excludeContainers
      ? {}
      : Object.fromEntries([...holders].map(([id, container]) => [id, containerView(container)])),
    addresses: [agent.link.address],
    enabled,
    draining,
    version: agent.version,
    resourcePools: [agent.pool],
    slotStats: slotStats(slots, enabled, draining),
  }
}

function holderOf(device: Device, containers: Container[]): Container | undefined {
  return containers.find((container) => container.devices.some(({ id }) => id === device.id))
}

interface Slot {
  device: Device
  container?: Container
}

interface DeviceStats {
  states: Record<string, number>
  disabled: number
  draining: number
  total: number
}

function slotStats(
  slots: Slot[],
  enabled: boolean,
  draining: boolean,
): Record<string, Record<string, DeviceStats>> {
  const statsBy = (keyOf: (device: Device) => string) => {
    // A Map, because brands come from agents and could be `__proto__`.
    const groups = new Map<string, Slot[]>()
    for (const slot of slots)
      groups.set(keyOf(slot.device), [...(groups.get(keyOf(slot.device)) ?? []), slot])
    return Object.fromEntries([...groups].map(([key, group]) => [key, deviceStats(group, enabled, draining)]))
  }
  return {
    typeStats: statsBy((device) => deviceTypeNames[device.type]),
    brandStats: statsBy((device) => device.brand),
  }
}

function deviceStats(slots: Slot[], enabled: boolean, draining: boolean): DeviceStats {
  const states: Record<string, number> = {}
  for (const { container } of slots)
    if (container) states[stateName(container)] = (states[stateName(container)] ?? 0) + 1
  const total = slots.length
  return { states, disabled: enabled ? 0 : total, draining: draining ? total : 0, total }
}

// Enable, disable, drain: POST /api/v1/agents/:id/enable and /disable {"drain": true} (Determined: agentrm/agent.go).

export interface AgentOrdersOptions {
  get: (id: string) => Agent | undefined
  order: (id: string, order: AgentOrder) => Agent | undefined
  /** Kills the jobs on it. */
  killOn: (id: string, reason: string) => void
  show: (agent: Agent) => Reply
}

export function agentOrderRoutes({ get, order, killOn, show }: AgentOrdersOptions): Route[] {
  function change(id: string, wanted: AgentOrder): Reply {
    const agent = get(id)
    if (!agent) return failure(404, `agent '${id}' not found`)
    if (agent.phase === 'connecting') return failure(409, `agent '${id}' has not started`)
    if (agent.phase !== 'joined') return failure(409, 'agent disconnected, wait for recovery')
    const ordered = order(id, wanted) ?? agent
    if (wanted.enabled === false && !wanted.draining) killOn(id, 'its agent was disabled')
    return show(ordered)
  }
  return [
    {
      method: 'POST',
      path: '/api/v1/agents/:id/enable',
      // Enabling an agent also cancels the provisioner's drain.
      answer: ({ params: { id = '' } }) =>
        change(id, { enabled: true, draining: false, provisionerDrain: false }),
    },
    {
      method: 'POST',
      path: '/api/v1/agents/:id/disable',
      answer: ({ params: { id = '' }, body }) => {
        const { drain = false } = body
        if (typeof drain !== 'boolean') return failure(400, 'drain must be true or false')
        return change(id, { enabled: false, draining: drain })
      },
    },
  ]
}
