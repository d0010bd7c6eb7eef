// The world's master: agents join and leave, jobs are placed late, and its view is combined from two listings.
import type { DemandSource } from '../demand/index.ts'
import type { Demand } from '../planner/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import type { FaultSchedule } from './faults.ts'
import type { Random } from './random.ts'
import type { JobPlan, Scenario } from './scenario.ts'
import {
  type Agent,
  auxOf,
  type Board,
  freeSlots,
  placeAll,
  release,
  slotsOfJobs,
  type Work,
  type WorkWatcher,
} from './scheduler.ts'
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
  /** Undrains that were carried out long after they were sent, by agent: the last one of each. */
  readonly lateUndrains: Map<string, { sentAt: number; at: number }>
  /** The last undrain of this agent that is under way arrives now. */
  hasten(id: string): void
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
/** Milliseconds after which who sent a drain or an undrain has given it up, and the latest time of its effect. */
const givenUp = 20_000
export const latestDrain = 300_000

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
  const undrainsUnderWay = new Map<string, () => void>()
  const lateUndrains = new Map<string, { sentAt: number; at: number }>()
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
    const sentAt = clock.now()
    await ask()
    const late = faults.now('late_drains')
    if (late && draw.chance(late.draw < 0.4 ? 100 : 50)) {
      let isOver = false
      const arrive = () => {
        if (!isOver && !drained) lateUndrains.set(id, { sentAt, at: clock.now() })
        if (!isOver) carryOut(id, drained, by)
        isOver = true
      }
      clock.after(draw.whole(givenUp, latestDrain), arrive)
      if (!drained) undrainsUnderWay.set(id, arrive)
      await clock.sleep(givenUp)
      throw new ProvisionError(problem('DEMAND_MISSING', 'the master did not answer'))
    }
    const fails = faults.now('drain_fails') && draw.chance(60)
    if (fails && draw.chance(50)) throw new ProvisionError(problem('DEMAND_MISSING', 'the master failed'))
    const isKnown = carryOut(id, drained, by)
    await clock.sleep(draw.whole(5, 300))
    if (fails) throw new ProvisionError(problem('DEMAND_MISSING', 'the answer was lost'))
    return isKnown
  }

  function carryOut(id: string, drained: boolean, by: string): boolean {
    const agent = board.agents.get(id)
    if (!agent) return false
    agent.enabled = !drained && !agent.disabledByPerson
    agent.draining = drained
    agent.drainedBy = drained ? by : undefined
    timeline.add('master', `${drained ? 'drains' : 'undrains'} ${id}`)
    changed()
    return true
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
    lateUndrains,
    hasten: (id) => clock.after(1, () => undrainsUnderWay.get(id)?.()),
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
          joinedAt: clock.now(),
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
        const since = { joinedAt: clock.now(), connected: true, foreign: true }
        const agent = { id, slots, broken: false, ...since, ...order, work: new Map() }
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
