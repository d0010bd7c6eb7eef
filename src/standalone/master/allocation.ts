// An allocation, from submission to end.
import { isOver } from '../../http/index.ts'
import {
  type ArchiveFile,
  type Container,
  type ContainerFailure,
  type Device,
  failureTypes,
  isProgress,
} from '../protocol/container.ts'
import type { ContainerReattachAck } from '../protocol/messages.ts'

/** `duration`: the master itself ends it and sends no order to an agent. */
export type Work = { kind: 'duration'; seconds: number } | CommandWork

export interface CommandWork {
  kind: 'command'
  argv: string[]
  env: Record<string, string>
  workingDirectory: string
  /** It runs in a container, which only Determined's agents start; without it as a process, which only built-in agents do. */
  container?: ContainerOrder
  /** The files it runs in; dropped when it is over. */
  files?: ArchiveFile[]
}

export interface ContainerOrder {
  /** In docker's notation. */
  image: string
  /** Pull it even if the instance has it. */
  forcePull?: boolean
  /** Bytes of /dev/shm. */
  shmSize?: number
  mounts?: BindMount[]
}

/** A path of the instance that the container sees. */
export interface BindMount {
  source: string
  target: string
  readOnly?: boolean
  /** In docker's words, such as `rprivate`. */
  propagation?: string
}

/**
 * `finished`: every container exited with 0. `failed`: one did not, or could not start. `killed`: by a request.
 * `lost`: its agent is gone, so its progress is unknown; it is not restarted.
 */
export type Outcome = 'finished' | 'failed' | 'killed' | 'lost'

/** `pending`: no agents assigned. `running`: agents assigned. `ending`: its outcome is known, some containers still run. */
export type AllocationState = 'pending' | 'running' | 'ending' | Outcome

export interface Placed extends Container {
  agentId: string
  /** Why it failed; null while it runs, and when it exited with 0. */
  failure: ContainerFailure | null
}

export interface Allocation {
  /** `<task>.1`, as Determined numbers the allocations of a task. */
  id: string
  task: string
  name: string
  pool: string
  /** 0 for an auxiliary allocation. */
  slots: number
  /** From 1 (first) to 99 (last). */
  priority: number
  work: Work
  state: AllocationState
  /** Set once the outcome is decided. */
  outcome?: Outcome
  /** The reason for the outcome: one sentence without a full stop. */
  reason?: string
  containers: Placed[]
  /** With it, its containers send their output; only with an image. */
  outputToken?: string
  /** Milliseconds since the epoch. */
  submittedAt: number
  startedAt?: number
  endedAt?: number
}

export const priorities = { first: 1, default: 42, last: 99 } as const

/** Containers that still use their slots. */
export function live(allocation: Allocation): Placed[] {
  return allocation.containers.filter((container) => container.state !== 'TERMINATED')
}

// The effect of each event on an allocation, as pure functions. An allocation that is over never changes again.

export interface Submission {
  task: string
  name: string
  pool: string
  slots: number
  priority: number
  work: Work
}

export function submitted(submission: Submission, now: number): Allocation {
  return { ...submission, id: `${submission.task}.1`, state: 'pending', containers: [], submittedAt: now }
}

/** Agents were assigned. A `duration` allocation runs at once; a command is ASSIGNED until its agent reports progress. */
export function assigned(allocation: Allocation, fits: Fit[], newId: () => string, now: number): Allocation {
  const state = allocation.work.kind === 'duration' ? 'RUNNING' : 'ASSIGNED'
  const containers = fits.map(({ agentId, devices }): Placed => {
    return { id: newId(), state, devices, description: allocation.name.slice(0, 63), agentId, failure: null }
  })
  const outputToken = agentsFor(allocation.work) === 'determined' ? newId() : undefined
  return {
    ...{ ...allocation, state: 'running', containers, startedAt: now },
    ...(outputToken !== undefined && { outputToken }),
  }
}

/** An agent reports the state of a container. Outdated reports and foreign containers change nothing. */
export function reported(
  allocation: Allocation,
  agentId: string,
  news: Pick<Container, 'id' | 'state'>,
  failure: ContainerFailure | null,
  now: number,
): Allocation {
  const container = live(allocation).find(({ id }) => id === news.id)
  if (!container || container.agentId !== agentId || !isProgress(container.state, news.state))
    return allocation
  if (news.state === container.state) return allocation
  return settled(changed(allocation, container.id, { state: news.state, failure }), now)
}

/** An agent is gone for good: the progress of its containers is unknown. */
export function agentGone(allocation: Allocation, agentId: string, reason: string, now: number): Allocation {
  const failure = { FailureType: failureTypes.agentFailed, ErrMsg: reason, ExitCode: null }
  let next = allocation
  for (const { id } of live(allocation).filter((container) => container.agentId === agentId))
    next = changed(next, id, { state: 'TERMINATED', failure })
  return next === allocation ? allocation : settled(next, now)
}

/**
 * Its agent is not a managed one: its reports do not count, so the allocation is pending again. undefined for an allocation
 * that other agents run, too, or whose outcome is decided.
 */
export function requeued(allocation: Allocation, agentId: string): Allocation | undefined {
  if (allocation.outcome || allocation.containers.some((container) => container.agentId !== agentId))
    return undefined
  const { startedAt: _, ...rest } = allocation
  return { ...rest, state: 'pending', containers: [] }
}

/** The end of a `duration` allocation. */
export function timeUp(allocation: Allocation, now: number): Allocation {
  if (allocation.work.kind !== 'duration' || allocation.state !== 'running') return allocation
  return settled(allTerminated(allocation), now)
}

/** Kills it. Commands are `ending` until their agents report the end. */
export function killed(allocation: Allocation, reason: string, now: number): Allocation {
  if (isOver(allocation) || allocation.outcome) return allocation
  return settled({ ...allocation, outcome: 'killed', reason }, now)
}

export interface Reattached {
  allocation: Allocation
  /** Containers whose start order never reached the agent: it has to be sent again. */
  startAgain: Placed[]
}

/**
 * An agent reconnected and reports its containers. A container that it does not list and never reported was never started:
 * the built-in agent records a task before it starts it.
 */
export function reattached(
  allocation: Allocation,
  agentId: string,
  acks: ContainerReattachAck[],
  now: number,
): Reattached {
  if (allocation.work.kind !== 'command') return { allocation, startAgain: [] }
  const startAgain: Placed[] = []
  let next = allocation
  for (const container of live(allocation).filter((placed) => placed.agentId === agentId)) {
    const ack = acks.find(({ Container }) => Container.id === container.id)
    const unknown = !ack || ack.Failure?.FailureType === failureTypes.restoreError
    if (unknown && container.state === 'ASSIGNED' && !allocation.outcome) startAgain.push(container)
    else if (unknown) {
      const ErrMsg = ack?.Failure?.ErrMsg ?? 'its agent reconnected without it'
      const failure = { FailureType: failureTypes.restoreError, ErrMsg, ExitCode: null }
      next = settled(changed(next, container.id, { state: 'TERMINATED', failure }), now)
    } else {
      const state = ack.Failure ? 'TERMINATED' : ack.Container.state
      next = reported(next, agentId, { id: container.id, state }, ack.Failure, now)
    }
  }
  return { allocation: next, startAgain }
}

function changed(allocation: Allocation, id: string, change: Partial<Placed>): Allocation {
  const containers = allocation.containers.map((container) =>
    container.id === id ? { ...container, ...change } : container,
  )
  return { ...allocation, containers }
}

/** The first failed container decides the outcome; the allocation is over when its last container has ended. */
function settled(allocation: Allocation, now: number): Allocation {
  const failed = allocation.containers.find(({ state, failure }) => state === 'TERMINATED' && failure)
  const outcome = allocation.outcome ?? (failed && outcomeOf(failed.failure!))
  const reason = allocation.reason ?? (failed && reasonOf(failed))
  // No agent got an order, so no report is expected.
  const over = outcome && allocation.work.kind === 'duration'
  const next = {
    ...(over ? allTerminated(allocation) : allocation),
    ...(outcome && { outcome }),
    ...(reason && { reason }),
  }
  if (live(next).length > 0) return { ...next, state: outcome ? 'ending' : 'running' }
  const work = withoutFiles(next.work)
  return { ...next, work, state: outcome ?? 'finished', outcome: outcome ?? 'finished', endedAt: now }
}

function withoutFiles(work: Work): Work {
  if (work.kind !== 'command' || !work.files) return work
  const { files: _, ...rest } = work
  return rest
}

function allTerminated(allocation: Allocation): Allocation {
  const containers = allocation.containers.map((container): Placed => ({ ...container, state: 'TERMINATED' }))
  return { ...allocation, containers }
}

const losses: string[] = [failureTypes.agentFailed, failureTypes.restoreError, failureTypes.containerMissing]

function outcomeOf(failure: ContainerFailure): Outcome {
  return losses.includes(failure.FailureType) ? 'lost' : 'failed'
}

function reasonOf({ agentId, failure }: Placed): string {
  const { FailureType, ErrMsg, ExitCode } = failure!
  const text = `${agentId}: ${ErrMsg || FailureType}`
  // The agent's message may already end with the exit code.
  return ExitCode === null || text.endsWith(` ${ExitCode}`) ? text : `${text} (exit code ${ExitCode})`
}

// Places an allocation on agents: best fit, as in Determined (master/internal/rm/agentrm/fitting.go), so that small
// allocations leave large agents free, and idle agents stay idle and can be terminated.

export interface Host {
  id: string
  /** Free devices, in the order they are assigned. */
  free: Device[]
  slots: number
  /** Auxiliary containers it can still accept. */
  freeAux: number
  /** Has an allocation of any size. */
  busy: boolean
  runsCommands: boolean
}

export interface Need {
  slots: number
  /** The kind of agents that can run it. */
  on: 'any' | 'built-in' | 'determined'
}

/** Slots are held on any agent; a command runs on built-in agents, and in a container on Determined's. */
export function agentsFor(work: Work): Need['on'] {
  if (work.kind === 'duration') return 'any'
  return work.container ? 'determined' : 'built-in'
}

export interface Fit {
  agentId: string
  devices: Device[]
}

/**
 * undefined if it does not fit now. An allocation is placed on one agent, or in equal shares on several completely free
 * agents of the same size, because frameworks expect ranks of equal size.
 */
export function place(need: Need, hosts: Host[]): Fit[] | undefined {
  const able = hosts.filter((host) => need.on === 'any' || host.runsCommands === (need.on === 'built-in'))
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

/** The hosts after the placement. */
export function occupy(hosts: Host[], fits: Fit[]): Host[] {
  return hosts.map((host) => {
    const fit = fits.find(({ agentId }) => agentId === host.id)
    if (!fit) return host
    const taken = new Set(fit.devices.map((device) => device.id))
    const free = host.free.filter((device) => !taken.has(device.id))
    return { ...host, free, freeAux: host.freeAux - (taken.size === 0 ? 1 : 0), busy: true }
  })
}
