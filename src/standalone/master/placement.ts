// Which agents a piece of work goes to: best fit, as the origin does it (master/internal/rm/agentrm/fitting.go), so that
// small work leaves large agents whole and idle agents stay idle and can be given back.
import type { Device } from '../protocol/device.ts'

export interface Host {
  id: string
  /** Devices nobody holds, in the order they are given out. */
  free: Device[]
  slots: number
  /** Auxiliary containers it can still take. */
  freeAux: number
  /** Holds work of any size. */
  busy: boolean
  runsCommands: boolean
}

export interface Need {
  slots: number
  command: boolean
}

export interface Fit {
  agentId: string
  devices: Device[]
}

/**
 * Undefined: nowhere now. Work fits one agent, or else several that are wholly free and of one size, with an equal share
 * of the work for each: frameworks expect ranks of equal size.
 */
export function place(need: Need, hosts: Host[]): Fit[] | undefined {
  const able = need.command ? hosts.filter((host) => host.runsCommands) : hosts
  if (need.slots === 0) {
    const [host] = able.filter(({ freeAux }) => freeAux > 0).sort(tightestAux)
    return host && [{ agentId: host.id, devices: [] }]
  }
  const [one] = able.filter(({ free }) => free.length >= need.slots).sort(tightest)
  if (one) return [take(one, need.slots)]
  return placeOnSeveral(need.slots, able)
}

function placeOnSeveral(slots: number, hosts: Host[]): Fit[] | undefined {
  const whole = hosts.filter(({ free, slots: all }) => all > 0 && free.length === all)
  // The largest first: fewest agents, least traffic between them.
  const sizes = [...new Set(whole.map((host) => host.slots))].sort((a, b) => b - a)
  for (const size of sizes) {
    const group = whole.filter((host) => host.slots === size)
    if (slots % size !== 0 || group.length < slots / size) continue
    return group
      .sort(tightest)
      .slice(0, slots / size)
      .map((host) => take(host, size))
  }
}

function take(host: Host, slots: number): Fit {
  return { agentId: host.id, devices: host.free.slice(0, slots) }
}

/** Busy before idle, fewest free before many, then by id so that the same state gives the same answer. */
function tightest(a: Host, b: Host): number {
  return a.free.length - b.free.length || byUse(a, b)
}

function tightestAux(a: Host, b: Host): number {
  return Number(b.busy) - Number(a.busy) || a.freeAux - b.freeAux || byUse(a, b)
}

function byUse(a: Host, b: Host): number {
  return Number(b.busy) - Number(a.busy) || (a.id < b.id ? -1 : 1)
}

/** The hosts once the work is there. */
export function occupy(hosts: Host[], fits: Fit[]): Host[] {
  return hosts.map((host) => {
    const fit = fits.find(({ agentId }) => agentId === host.id)
    if (!fit) return host
    const taken = new Set(fit.devices.map((device) => device.id))
    const free = host.free.filter((device) => !taken.has(device.id))
    return { ...host, free, freeAux: host.freeAux - (taken.size === 0 ? 1 : 0), busy: true }
  })
}
