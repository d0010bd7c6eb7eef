// The world's master: agents join and leave, jobs are placed late, and its view is combined from two listings.
import type { DemandSource } from '../demand/index.ts'
import type { Demand } from '../planner/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import type { FaultSchedule } from './faults.ts'
import type { JobPlan, Random, Scenario } from './scenario.ts'
import type { Timeline, VirtualClock } from './virtual-clock.ts'

export interface Master extends Board {
  submit(job: JobPlan): void
  join(id: string, slots: number, broken: boolean): void
  /** The connection of an agent breaks; after the reconnect wait, the agent and its jobs are given up. */
  disconnect(id: string): void
  /** A person takes an agent out of service, or back. */
  setEnabled(id: string, enabled: boolean): void
  /** A person disables an agent without a drain, or enables it again. */
  setDisabled(id: string, disabled: boolean): void
  /**
   * Agents that run on no VM join, or leave. They are admitted, as in an earlier version; the checks test whether they
   * get jobs.
   */
  intrude(ids: readonly string[], slots: number): void
  expel(ids: readonly string[]): void
  /** When a person last enabled an agent. */
  readonly enabledByPersonAt: Map<string, number>
  /** `name`: the provisioner that reads it. */
  source(name: string): DemandSource
}

export interface PlacementRules {
  /** Whether the id belongs to a running instance: the built-in master checks this before it places a job. */
  isKnown(id: string): boolean
  /** A job was placed. */
  onPlaced(work: Work): void
}

const placesWithinAtWorst = 10_000
const [oldestView, slowestRead] = [150_000, 50_000]

export function createMaster(
  scenario: Scenario,
  random: Random,
  clock: VirtualClock,
  faults: FaultSchedule,
  timeline: Timeline,
  rules: PlacementRules,
  watcher?: WorkWatcher,
): Master {
  const draw = random.fork('master')
  const tasksFirst = random.fork('order').chance(50)
  const board: Board = {
    work: new Map(),
    agents: new Map(),
    maxAuxPerAgent: scenario.policy.maxAuxPerAgent,
    getsWork: ({ id, foreign }) => !foreign || rules.isKnown(id),
  }
  const listeners = new Set<(pool: string) => void>()
  const enabledByPersonAt = new Map<string, number>()
  const views: Demand[] = []
  const placesWithin = scenario.given?.placesWithin ?? placesWithinAtWorst
  let isDue = false

  function changed(): void {
    if (!scenario.oddities.has('no_push'))
      for (const listener of listeners)
        clock.after(draw.whole(0, 40), () => listeners.has(listener) && listener('default'))
    if (isDue) return
    isDue = true
    clock.after(draw.chance(30) ? 0 : draw.whole(0, placesWithin), () => {
      isDue = false
      const placed = placeAll(board, clock.now())
      for (const work of placed) run(work)
      if (placed.length > 0) changed()
    })
  }

  function run(work: Work): void {
    timeline.add('master', `places ${work.id}`, { slots: work.slots, agents: work.agents })
    watcher?.onStart(work)
    rules.onPlaced(work)
    const { starts } = work
    clock.after(work.duration, () => {
      if (work.starts !== starts || work.state !== 'running') return
      if (watcher && !work.agents.every((id) => watcher.isUp(id))) return
      watcher?.onEnd(work, 'done')
      release(board, work)
      work.state = 'done'
      timeline.add('master', `${work.id} is done`)
      changed()
    })
  }

  function remove(agent: Agent): void {
    for (const id of agent.work.keys()) {
      const work = board.work.get(id)!
      watcher?.onEnd(work, 'lost')
      release(board, work)
      work.state = 'pending'
      work.since = clock.now()
    }
    board.agents.delete(agent.id)
    timeline.add('master', `gives up agent ${agent.id}`)
    changed()
  }

  async function ask(): Promise<void> {
    await clock.sleep(draw.whole(5, 300))
    if (faults.now('master_down'))
      throw new ProvisionError(problem('DEMAND_MISSING', 'the master does not answer'))
  }

  async function setDrained(id: string, drained: boolean, by: string): Promise<boolean> {
    await ask()
    const fails = faults.now('drain_fails') && draw.chance(60)
    if (fails && draw.chance(50)) throw new ProvisionError(problem('DEMAND_MISSING', 'the master failed'))
    const agent = board.agents.get(id)
    if (agent) {
      agent.enabled = !drained && !agent.disabledByPerson
      agent.draining = drained
      agent.drainedBy = drained ? by : undefined
      timeline.add('master', `${drained ? 'drains' : 'undrains'} ${id}`)
      changed()
    }
    await clock.sleep(draw.whole(5, 300))
    if (fails) throw new ProvisionError(problem('DEMAND_MISSING', 'the answer was lost'))
    return agent !== undefined
  }

  /** The newest view, or an earlier one whose `at` is as old as it is. */
  async function read(): Promise<Demand> {
    const newest = await readNow()
    if (!scenario.faults.includes('old_views')) return newest
    views.push(newest)
    while (views[0]!.at < clock.now() - oldestView) views.shift()
    return faults.now('old_views') && draw.chance(50) ? draw.pick(views) : newest
  }

  const slowness = async () => faults.now('slow_reads') && clock.sleep(draw.whole(0, slowestRead / 2))

  async function readNow(): Promise<Demand> {
    await ask()
    const at = clock.now()
    await slowness()
    const demand: Demand = { pool: 'default', at, pending: [], agents: [] }
    const busy = new Set<string>()
    const listTasks = () => readTasks(board, demand, busy)
    const listAgents = () => readAgents(board, demand)
    const [first, second] = tasksFirst ? [listTasks, listAgents] : [listAgents, listTasks]
    first()
    await clock.sleep(draw.whole(5, 400))
    await slowness()
    second()
    for (const agent of demand.agents) agent.busy ||= busy.has(agent.id)
    return demand
  }

  return {
    ...board,
    enabledByPersonAt,
    submit({ id, slots, duration, job, maxSlots, unplaceable }) {
      const since = clock.now()
      board.work.set(id, {
        id,
        slots,
        duration,
        job,
        maxSlots,
        unplaceable,
        since,
        state: 'pending',
        agents: [],
        starts: 0,
      })
      timeline.add('world', `submits ${id}`, { slots, duration: duration / 1000 })
      changed()
    },
    join(id, slots, broken) {
      const before = board.agents.get(id)
      if (before) before.connected = true
      else
        board.agents.set(id, {
          id,
          slots,
          broken,
          connected: true,
          enabled: true,
          draining: false,
          disabledByPerson: false,
          work: new Map(),
        })
      timeline.add('world', `agent ${id} ${before ? 'reconnects' : 'joins'}`)
      changed()
    },
    intrude(ids, slots) {
      for (const id of ids) {
        const order = { enabled: true, draining: false, disabledByPerson: false }
        const agent = { id, slots, broken: false, connected: true, ...order, foreign: true, work: new Map() }
        if (!board.agents.has(id)) board.agents.set(id, agent)
      }
      timeline.add('world', 'foreign agents join', { ids, slots })
      changed()
    },
    expel(ids) {
      for (const id of ids) {
        const agent = board.agents.get(id)
        if (agent) remove(agent)
      }
    },
    disconnect(id) {
      const agent = board.agents.get(id)
      if (!agent?.connected) return
      agent.connected = false
      timeline.add('world', `agent ${id} is disconnected`)
      changed()
      clock.after(scenario.policy.reconnectWait, () => {
        if (!agent.connected && board.agents.get(id) === agent) remove(agent)
      })
    },
    setEnabled(id, enabled) {
      const agent = board.agents.get(id)
      if (agent) Object.assign(agent, { enabled, draining: !enabled, drainedBy: undefined })
      if (enabled) enabledByPersonAt.set(id, clock.now())
      changed()
    },
    setDisabled(id, disabled) {
      const agent = board.agents.get(id)
      if (agent) Object.assign(agent, { disabledByPerson: disabled, enabled: !disabled && !agent.draining })
      if (!disabled) enabledByPersonAt.set(id, clock.now())
      changed()
    },
    source: (name) => ({
      kind: 'determined',
      read,
      onChange(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      drain: (id) => setDrained(id, true, name),
      undrain: (id) => setDrained(id, false, name),
      close: async () => {},
    }),
  }
}

function readTasks(board: Board, demand: Demand, busy: Set<string>): void {
  const running = slotsOfJobs(board)
  for (const work of board.work.values()) {
    if (work.state === 'running') for (const id of work.agents) busy.add(id)
    if (work.state !== 'pending') continue
    const { id, slots, since, job, maxSlots } = work
    if (job === undefined) demand.pending.push({ id, slots, since })
    else demand.pending.push({ id, slots, since, job, maxSlots, jobRunningSlots: running.get(job) ?? 0 })
  }
}

function readAgents(board: Board, demand: Demand): void {
  for (const agent of board.agents.values()) {
    const { id, slots, connected, enabled, draining, disabledByPerson, work } = agent
    const free = freeSlots(agent)
    const freeAux = board.maxAuxPerAgent - auxOf(agent)
    demand.agents.push({
      id,
      slots,
      freeSlots: free,
      freeAux,
      busy: work.size > 0,
      connected,
      enabled,
      draining,
      ...(disabledByPerson ? { disabledByPerson } : {}),
      ...(board.getsWork(agent) ? {} : { getsNoWork: true }),
    })
  }
}

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
