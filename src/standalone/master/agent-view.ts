// An agent in the shape of Determined's REST API (origin: proto/src/determined/agent/v1/agent.proto).
import type { Container } from '../protocol/container.ts'
import type { Device } from '../protocol/device.ts'
import { type Agent, shownDraining, shownEnabled } from './agent.ts'

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

/** `containers` are those on the agent; like the origin's, the answer shows only those that hold a slot. */
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
    // A Map, because brands come from agents and `__proto__` is a brand like any other.
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
