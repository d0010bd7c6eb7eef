// The world's work and agents, and a scheduler that places work late and as Determined's does: best fit on one agent,
// else whole agents of one size together.

export interface Work {
  id: string
  slots: number
  duration: number
  job?: string
  maxSlots?: number
  unplaceable?: boolean
  since: number
  state: 'pending' | 'running' | 'done'
  agents: string[]
  placedAt?: number
  /** Counts its starts: the end of an earlier start is not its end. */
  starts: number
}

export interface Agent {
  id: string
  slots: number
  connected: boolean
  enabled: boolean
  draining: boolean
  /** Its devices do not work: nothing is ever placed on it. */
  broken: boolean
  /** Work on it, by id, with the slots it takes. */
  work: Map<string, number>
}

export interface Board {
  work: Map<string, Work>
  agents: Map<string, Agent>
  maxAuxPerAgent: number
}

export function freeSlots({ slots, work }: Agent): number {
  let free = slots
  for (const taken of work.values()) free -= taken
  return free
}

/** Places what can be placed, oldest first; returns what was. */
export function placeAll(board: Board, now: number): Work[] {
  const pending = [...board.work.values()]
    .filter((w) => w.state === 'pending')
    .sort((a, b) => a.since - b.since)
  const placed: Work[] = []
  for (const work of pending) {
    if (work.unplaceable || !isWithinJob(board, work)) continue
    const agents = agentsFor(board, work)
    if (agents.length === 0) continue
    work.state = 'running'
    work.placedAt = now
    work.starts++
    work.agents = agents.map(({ id }) => id)
    for (const agent of agents) agent.work.set(work.id, work.slots / agents.length)
    placed.push(work)
  }
  return placed
}

function isWithinJob(board: Board, { job, maxSlots, slots }: Work): boolean {
  return job === undefined || maxSlots === undefined || slotsOfJob(board, job) + slots <= maxSlots
}

export function slotsOfJob(board: Board, job: string): number {
  let sum = 0
  for (const work of board.work.values()) if (work.job === job && work.state === 'running') sum += work.slots
  return sum
}

function agentsFor(board: Board, { slots }: Work): Agent[] {
  const open = [...board.agents.values()].filter((a) => a.connected && a.enabled && !a.draining && !a.broken)
  if (slots === 0) return open.filter((agent) => auxOf(agent) < board.maxAuxPerAgent).slice(0, 1)
  const best = open.filter((a) => freeSlots(a) >= slots).sort((a, b) => freeSlots(a) - freeSlots(b))[0]
  if (best) return [best]
  const sizes = new Set(open.map((agent) => agent.slots).filter((size) => size > 0 && slots % size === 0))
  for (const size of sizes) {
    const whole = open.filter((agent) => agent.slots === size && freeSlots(agent) === size)
    if (whole.length >= slots / size) return whole.slice(0, slots / size)
  }
  return []
}

export function auxOf({ work }: Agent): number {
  let count = 0
  for (const slots of work.values()) if (slots === 0) count++
  return count
}

/** Takes work off its agents. */
export function release(board: Board, work: Work): void {
  for (const id of work.agents) board.agents.get(id)?.work.delete(work.id)
  work.agents = []
}
