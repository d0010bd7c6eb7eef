// The state of a fake Determined master: pools, agents, jobs and users. It behaves like docs/determined.md describes.
import { randomUUID } from 'node:crypto'

export interface FakeAgent {
  id: string
  pool: string
  registeredAt: number
  /** Device ids; undefined before AgentStarted. */
  devices: number[] | undefined
  enabled: boolean
  draining: boolean
  /** Lost its connection and may reconnect: its state before that. */
  away?: { enabled: boolean; draining: boolean; since: number }
}

export interface FakeWork {
  /** The allocation id. */
  id: string
  task: string
  job: string
  name: string
  pool: string
  slots: number
  registeredAt: number
  /** Device ids by agent; empty while it waits. */
  on: Map<string, number[]>
  experiment?: number
  /** GC jobs and the like: in the list of tasks, but in no queue. */
  isSystem?: boolean
  /** Invisible to users without admin rights. */
  hidden?: boolean
}

export interface FakeUser {
  password: string
  admin: boolean
  /** With RBAC: the permission to update agents, which being an admin does not give. */
  updatesAgents?: boolean
  /** Deactivated: its password is right, and it may not log in. */
  isInactive?: boolean
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
  /** User name by token; a `forever` token never expires. */
  sessions: Map<string, string>
  rbacEnabled: boolean
  /**
   * Milliseconds of the master's CPU for each check of a password, one after the other; it continues when the client has hung
   * up. Real masters need 2 s (Determined: model/user.go, BCryptCost 15).
   */
  loginCost: number
  scheduler: 'priority' | 'fair_share'
  /** `launch_error` of the master's configuration. */
  launchError: boolean
  maxAux: number
  /** The scheduler assigns jobs to agents automatically. */
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
    loginCost: 0,
    scheduler: 'priority',
    launchError: true,
    maxAux: 100,
    schedules: false,
    now,
  }
}

/** Drain and enable agents (Determined: master/internal/cluster, CanUpdateAgents). */
export function mayUpdateAgents({ rbacEnabled }: FakeWorld, { admin, updatesAgents }: FakeUser): boolean {
  return rbacEnabled ? updatesAgents === true : admin
}

/** An agent connects, and starts with its devices unless the test wants the state before that. */
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

/** Its connection breaks: it is shown as drained until it reconnects or is given up. */
export function lose(world: FakeWorld, id: string): void {
  const agent = world.agents.get(id)
  if (!agent || agent.away) return
  agent.away = { enabled: agent.enabled, draining: agent.draining, since: world.now() }
  Object.assign(agent, { enabled: false, draining: true })
}

/** The reconnect window is over, or the agent was shut down; its jobs fail. */
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

/** Adds a job to the queue without checks; submissions.ts has what a master rejects. */
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

/** `det agent disable`, with or without `--drain`; without it the agent's jobs end. */
export function disable(world: FakeWorld, agentId: string, draining: boolean): void {
  Object.assign(world.agents.get(agentId)!, { enabled: false, draining })
  if (draining) return
  for (const work of world.work.values()) if (work.on.has(agentId)) world.work.delete(work.id)
}

export function enable(world: FakeWorld, agentId: string): void {
  Object.assign(world.agents.get(agentId)!, { enabled: true, draining: false })
  schedule(world)
}

/** Assigns the job to the agent; false when it has no room. */
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

/** First come, first served, each on one agent. */
export function schedule(world: FakeWorld): void {
  if (!world.schedules) return
  for (const work of world.work.values()) {
    if (work.on.size > 0) continue
    for (const agent of world.agents.values())
      if (agent.pool === work.pool && place(world, work.id, agent.id)) break
  }
}
