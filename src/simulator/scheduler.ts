// The world's jobs and agents, and a scheduler that places jobs late and as Determined's does: best fit on one agent,
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
  /** Counts its starts, so that the end of an earlier start does not end it. */
  starts: number
}

export interface Agent {
  id: string
  slots: number
  /** Since when the master knows it: after it was given up, it joins as a new one. */
  joinedAt: number
  connected: boolean
  enabled: boolean
  draining: boolean
  /** The provisioner that drained it last; undefined when a person has changed that since. */
  drainedBy?: string | undefined
  /** Its devices do not work: no job is ever placed on it. */
  broken: boolean
  disabledByPerson: boolean
  /** It runs on no VM. */
  foreign?: boolean
  /** Jobs on it, by id, with the slots they use. */
  work: Map<string, number>
}

export interface Board {
  work: Map<string, Work>
  agents: Map<string, Agent>
  maxAuxPerAgent: number
  getsWork(agent: Agent): boolean
}

/** Called at each start and end of a job: it finished, or its agent was given up. */
export interface WorkWatcher {
  onStart(work: Work): void
  onEnd(work: Work, how: 'done' | 'lost'): void
  /** False once the VM of an agent has stopped, whether the master knows or not: jobs on it do not finish. */
  isUp(agent: string): boolean
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
  const running = pending.some((work) => work.job !== undefined) ? slotsOfJobs(board) : new Map()
  // Placing only reduces room: a job that did not fit once does not fit later in the same round.
  const tooLarge = new Set<number>()
  for (const work of pending) {
    if (work.unplaceable || tooLarge.has(work.slots) || !isWithinJob(running, work)) continue
    const agents = agentsFor(board, work)
    if (agents.length === 0) {
      tooLarge.add(work.slots)
      continue
    }
    if (work.job !== undefined) running.set(work.job, (running.get(work.job) ?? 0) + work.slots)
    work.state = 'running'
    work.placedAt = now
    work.starts++
    work.agents = agents.map(({ id }) => id)
    for (const agent of agents) agent.work.set(work.id, work.slots / agents.length)
    placed.push(work)
  }
  return placed
}

function isWithinJob(running: ReadonlyMap<string, number>, { job, maxSlots, slots }: Work): boolean {
  return job === undefined || maxSlots === undefined || (running.get(job) ?? 0) + slots <= maxSlots
}

/** Slots used by running allocations of each job. */
export function slotsOfJobs({ work }: Board): Map<string, number> {
  const sums = new Map<string, number>()
  for (const { job, state, slots } of work.values())
    if (job !== undefined && state === 'running') sums.set(job, (sums.get(job) ?? 0) + slots)
  return sums
}

export function slotsOfJob(board: Board, job: string): number {
  return slotsOfJobs(board).get(job) ?? 0
}

function agentsFor(board: Board, { slots }: Work): Agent[] {
  const open = [...board.agents.values()].filter(
    (a) => a.connected && a.enabled && !a.draining && !a.broken && board.getsWork(a),
  )
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

/** Removes a job from its agents. */
export function release(board: Board, work: Work): void {
  for (const id of work.agents) board.agents.get(id)?.work.delete(work.id)
  work.agents = []
}
