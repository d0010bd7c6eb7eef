// What a fake Determined master knows: pools, agents, work and users. It behaves as docs/determined.md says a real one does.
import { randomUUID } from 'node:crypto'

export interface FakeAgent {
  id: string
  pool: string
  registeredAt: number
  /** Device ids; undefined until it has started. */
  devices: number[] | undefined
  enabled: boolean
  draining: boolean
  /** Lost its connection and may still come back: what it was before. */
  away?: { enabled: boolean; draining: boolean; since: number }
}

export interface FakeWork {
  /** The allocation. */
  id: string
  task: string
  job: string
  name: string
  pool: string
  slots: number
  registeredAt: number
  /** Device ids by agent; empty: it waits. */
  on: Map<string, number[]>
  experiment?: number
  /** GC work and the like: in the list of tasks, in no queue. */
  isSystem?: boolean
  /** Users without admin rights do not see it. */
  hidden?: boolean
}

export interface FakeUser {
  password: string
  admin: boolean
}

export interface FakeExperiment {
  id: number
  maxSlots?: number
}

export type FakePool = { type: 'STATIC' | 'AWS' | 'GCP' }

export interface FakeWorld {
  readonly clusterId: string
  version: string
  pools: Map<string, FakePool>
  agents: Map<string, FakeAgent>
  work: Map<string, FakeWork>
  experiments: Map<number, FakeExperiment>
  users: Map<string, FakeUser>
  /** User name by token; a token of `forever` outlives every session. */
  sessions: Map<string, string>
  rbacEnabled: boolean
  scheduler: 'priority' | 'fair_share'
  /** `launch_error` of the master's configuration. */
  launchError: boolean
  maxAux: number
  /** The scheduler gives work to agents by itself. */
  schedules: boolean
  now(): number
}

export function createWorld(now: () => number = Date.now): FakeWorld {
  return {
    clusterId: randomUUID(),
    version: '0.38.1',
    pools: new Map([['default', { type: 'STATIC' }]]),
    agents: new Map(),
    work: new Map(),
    experiments: new Map(),
    users: new Map([
      ['provisioner', { password: 'correct horse', admin: true }],
      ['student', { password: 'battery', admin: false }],
    ]),
    sessions: new Map(),
    rbacEnabled: false,
    scheduler: 'priority',
    launchError: true,
    maxAux: 100,
    schedules: false,
    now,
  }
}

/** An agent connects, and shows its devices unless it is to be caught before that. */
export function join(
  world: FakeWorld,
  id: string,
  slots: number,
  { pool = 'default', started = true } = {},
): void {
  const agent = world.agents.get(id)
  if (agent?.away) {
    Object.assign(agent, { enabled: agent.away.enabled, draining: agent.away.draining })
    delete agent.away
  } else
    world.agents.set(id, {
      id,
      pool,
      registeredAt: world.now(),
      devices: started ? [...Array(slots).keys()] : undefined,
      enabled: true,
      draining: false,
    })
  schedule(world)
}

/** Its connection breaks: it looks as if somebody had drained it, until it is back or given up. */
export function lose(world: FakeWorld, id: string): void {
  const agent = world.agents.get(id)
  if (!agent || agent.away) return
  agent.away = { enabled: agent.enabled, draining: agent.draining, since: world.now() }
  Object.assign(agent, { enabled: false, draining: true })
}

/** The wait is over, or it was shut down for good; work on it fails. */
export function giveUp(world: FakeWorld, id: string): void {
  world.agents.delete(id)
  for (const work of world.work.values()) if (work.on.has(id)) world.work.delete(work.id)
}

export interface Submission {
  pool?: string
  slots: number
  experiment?: FakeExperiment
  isSystem?: boolean
  hidden?: boolean
}

/** Work is put into the queue without a question; see submissions.ts for what a master refuses. */
export function submit(
  world: FakeWorld,
  { pool = 'default', slots, experiment, ...more }: Submission,
): string {
  const uuid = randomUUID()
  const task = experiment ? `${experiment.id}.${uuid}` : uuid
  const id = `${task}.1`
  if (experiment) world.experiments.set(experiment.id, experiment)
  const job = experiment ? `job-${experiment.id}` : uuid
  world.work.set(id, {
    ...{ id, task, job, pool, slots, name: experiment ? `Trial (Experiment ${experiment.id})` : 'Command' },
    registeredAt: world.now(),
    on: new Map(),
    ...(experiment && { experiment: experiment.id }),
    ...more,
  })
  schedule(world)
  return id
}

export function finish(world: FakeWorld, id: string): void {
  world.work.delete(id)
  schedule(world)
}

/** `det agent disable`, with or without `--drain`: without it its work ends. */
export function disable(world: FakeWorld, agentId: string, draining: boolean): void {
  Object.assign(world.agents.get(agentId)!, { enabled: false, draining })
  if (draining) return
  for (const work of world.work.values()) if (work.on.has(agentId)) world.work.delete(work.id)
}

export function enable(world: FakeWorld, agentId: string): void {
  Object.assign(world.agents.get(agentId)!, { enabled: true, draining: false })
  schedule(world)
}

/** Gives the work to the agent; false when it has no room. */
export function place(world: FakeWorld, id: string, agentId: string): boolean {
  const work = world.work.get(id)!
  const agent = world.agents.get(agentId)
  if (!agent?.devices || !agent.enabled) return false
  const free = freeDevices(world, agent)
  if (free.length < work.slots || (work.slots === 0 && auxOn(world, agentId) >= world.maxAux)) return false
  work.on.set(agentId, free.slice(0, work.slots))
  return true
}

export function freeDevices({ work }: FakeWorld, { id, devices = [] }: FakeAgent): number[] {
  const held = new Set([...work.values()].flatMap(({ on }) => on.get(id) ?? []))
  return devices.filter((device) => !held.has(device))
}

export function auxOn({ work }: FakeWorld, agentId: string): number {
  return [...work.values()].filter(({ slots, on }) => slots === 0 && on.has(agentId)).length
}

/** First come, first served, on one agent each. */
export function schedule(world: FakeWorld): void {
  if (!world.schedules) return
  for (const work of world.work.values()) {
    if (work.on.size > 0) continue
    for (const agent of world.agents.values())
      if (agent.pool === work.pool && place(world, work.id, agent.id)) break
  }
}
