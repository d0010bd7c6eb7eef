// The work queue: accepts jobs, places them on agents and follows them to their end. The decisions are pure functions in
// allocation.ts; this file records each decision before it carries it out, so that a crash in between repeats nothing.

import { isOver } from '../../http/index.ts'
import type { Clock, Logger } from '../../platform/index.ts'
import type { Container } from '../protocol/container.ts'
import type { AgentMessage, ContainerReattachAck, MasterMessage } from '../protocol/messages.ts'
import type { Agent, AgentEvent } from './agent.ts'
import { createListeners } from './agents.ts'
import * as step from './allocation.ts'
import { type Allocation, live, type Placed } from './allocation.ts'
import type { LogStore } from './log-store.ts'
import { hostsOf, schedule } from './queue.ts'
import { startOrder, type TaskEnvironment } from './start-order.ts'
import type { WorkStore } from './store.ts'

export interface WorkQueueOptions {
  clock: Clock
  logger: Logger
  store: WorkStore
  logs: LogStore
  newId: () => string
  agents: () => Agent[]
  /** Whether jobs may be sent to the agent. */
  mayWork: (agent: Agent) => boolean
  /** Largest number of auxiliary containers on an agent of the pool. */
  auxLimit: (pool: string) => number
  /** False when the agent has no socket: missed orders are sent when it reconnects. */
  send: (agentId: string, message: Partial<AgentMessage>) => boolean
  /** Resolves with true once it is on disk, without a time limit; with false when the master is closed first. */
  keep: (allocation: Allocation) => Promise<boolean>
  /** False while nothing can be written: then no job starts. */
  ready: () => boolean
  environment: TaskEnvironment
}

export interface WorkQueue {
  /** Resolves once the job is on disk; with undefined when the master was closed first. */
  submit(submission: step.Submission): Promise<Allocation | undefined>
  /** The same for a job that was submitted before: a repeated request resolves no sooner than the first one. */
  submitted(id: string): Promise<Allocation | undefined>
  /** Also resolves with undefined when there is no such job. A finished job does not change. */
  kill(id: string, reason: string): Promise<Allocation | undefined>
  killOn(agentId: string, reason: string): void
  /** Containers that a returning agent should still have: only those of commands, because it gets no other orders. */
  expectedOn(agentId: string): Container[]
  onReattached(agent: Agent, acks: ContainerReattachAck[]): void
  onMessage(agent: Agent, message: MasterMessage): void
  onAgent(event: AgentEvent): void
  /** Restores jobs from before a restart, once the expected agents are known. */
  restore(allocations: Allocation[]): void
  /** Starts every job that can start now. */
  wake(): void
  /** Calls back with the pool when its jobs or agents have changed. */
  onChange(listener: (pool: string) => void): () => void
  close(): void
  /** Resolves when each end that waited for its output is being recorded, within the time that `LogStore.flush` may take. */
  ended(): Promise<void>
}

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { clock, logger, store } = options
  const changes = createListeners<string>(logger)
  const changed = new Set<string>()
  const closed = new AbortController()
  const flushing = new Set<Promise<void>>()
  let isScheduled = false

  /** Assigns jobs and reports the change, at most once per event-loop turn. */
  function scheduleTurn(pool: string): void {
    changed.add(pool)
    if (isScheduled) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      if (closed.signal.aborted) return
      const pools = [...changed]
      changed.clear()
      if (options.ready()) for (const pool of pools) assign(pool)
      for (const pool of pools) changes.emit(pool)
    })
  }

  function assign(pool: string): void {
    const pending = store.active().filter((work) => work.pool === pool && work.state === 'pending')
    if (pending.length === 0) return
    const agents = options.agents().filter((agent) => agent.pool === pool && options.mayWork(agent))
    const hosts = hostsOf(agents, store.heldOn, options.auxLimit(pool))
    for (const { allocation, fits } of schedule(pending, hosts))
      void update(allocation, step.assigned(allocation, fits, options.newId, clock.now()))
  }

  /** Records the step, then sends the orders that follow from it. */
  async function update(before: Allocation | undefined, after: Allocation): Promise<Allocation | undefined> {
    if (after === before) return after
    store.put(after)
    if (before?.state !== after.state) {
      const { id, pool, state, reason } = after
      logger.info('job changed', { allocation: id, pool, state, reason, agents: agentsOf(after) })
    }
    scheduleTurn(after.pool)
    if (!(await recorded(after))) return undefined
    if (before?.state === 'pending' && after.state === 'running') begin(after)
    else if (after.outcome && !before?.outcome) end(after)
    return after
  }

  /** An end after the output: once it is recorded, the agent is not asked for the rest. False when the master is closed. */
  async function recorded(work: Allocation): Promise<boolean> {
    if (isOver(work)) await flushed(work.id)
    const isForgotten = !store.get(work.id)
    return isForgotten || options.keep(work)
  }

  async function flushed(id: string): Promise<void> {
    const flush = options.logs.flush(id)
    flushing.add(flush)
    await flush
    flushing.delete(flush)
  }

  /** Records it again: all earlier records are then on disk, too. */
  async function confirmed(work: Allocation): Promise<Allocation | undefined> {
    return (await recorded(work)) ? work : undefined
  }

  function begin(allocation: Allocation): void {
    if (allocation.work.kind === 'duration') void lastUntilOver(allocation)
    else for (const container of allocation.containers) start(allocation, container)
  }

  function start(allocation: Allocation, container: Placed): void {
    const now = store.get(allocation.id)
    if (now?.outcome) {
      // Killed or lost while it was being recorded: nothing was started, so no agent will report its end.
      void update(
        now,
        step.reported(now, container.agentId, { id: container.id, state: 'TERMINATED' }, null, clock.now()),
      )
      return
    }
    options.send(container.agentId, {
      StartContainer: startOrder(allocation, container, options.environment),
    })
  }

  /** Kills the containers that still run, because the outcome is decided. */
  function end(allocation: Allocation): void {
    if (allocation.work.kind === 'duration') return
    for (const { id, agentId } of live(store.get(allocation.id) ?? allocation))
      options.send(agentId, { SignalContainer: { ContainerID: id, Signal: 9 } })
  }

  async function lastUntilOver({ id, startedAt, work }: Allocation): Promise<void> {
    if (work.kind !== 'duration') return
    // If the clock was set back since then, the time may be in the future.
    const endsAt = Math.min(startedAt!, clock.now()) + work.seconds * 1000
    try {
      // Timers are limited to 24 days.
      for (let left = endsAt - clock.now(); left > 0; left = endsAt - clock.now())
        await clock.sleep(Math.min(left, 1_000_000_000), closed.signal)
    } catch {
      return
    }
    const now = store.get(id)
    // Unless it was requeued meanwhile and runs again.
    if (now && now.startedAt === startedAt) await update(now, step.timeUp(now, clock.now()))
  }

  return {
    submit: (submission) => update(undefined, step.submitted(submission, clock.now())),

    async submitted(id) {
      const work = store.get(id)
      return work && confirmed(work)
    },

    async kill(id, reason) {
      const work = store.get(id)
      if (!work) return undefined
      // Repeated, in case the first order was lost.
      if (work.outcome && !isOver(work)) end(work)
      if (work.outcome) return confirmed(work)
      return update(work, step.killed(work, reason, clock.now()))
    },

    killOn(agentId, reason) {
      for (const allocation of store.workOn(agentId))
        void update(allocation, step.killed(allocation, reason, clock.now()))
    },

    expectedOn: (agentId) =>
      store
        .heldOn(agentId)
        .filter(({ id }) => store.owner(id)?.work.kind === 'command')
        .map(({ id, state, devices, description }) => ({ id, state, devices, description })),

    onReattached(agent, acks) {
      for (const allocation of store.workOn(agent.id)) {
        const { allocation: after, startAgain } = step.reattached(allocation, agent.id, acks, clock.now())
        if (startAgain.length > 0 && !options.mayWork(agent)) {
          // The agent never got the order, which may contain secrets, and it is no longer a known instance.
          const lost = () => step.agentGone(after, agent.id, 'its agent is not a known instance', clock.now())
          void update(allocation, step.requeued(after, agent.id) ?? lost())
          continue
        }
        void update(allocation, after)
        for (const container of startAgain) start(after, container)
        if (allocation.outcome) end(after)
      }
    },

    onMessage(agent, { ContainerStateChanged: news, ContainerLog: log }) {
      const containerId = news?.Container.id ?? log?.ContainerID ?? ''
      const work = store.owner(containerId)
      const theirs = work?.containers.some(({ id, agentId }) => id === containerId && agentId === agent.id)
      if (!work || !theirs) return
      if (log) options.logs.add(work.id, log)
      if (!news) return
      const failure = news.ContainerStopped?.Failure ?? null
      void update(work, step.reported(work, agent.id, news.Container, failure, clock.now()))
    },

    onAgent({ kind, agent, reason = 'its agent is gone', foreign = false }) {
      if (kind === 'removed')
        for (const allocation of store.workOn(agent.id)) {
          const after = foreign ? step.requeued(allocation, agent.id) : undefined
          void update(allocation, after ?? step.agentGone(allocation, agent.id, reason, clock.now()))
        }
      scheduleTurn(agent.pool)
    },

    restore(allocations) {
      const known = new Set(options.agents().map((agent) => agent.id))
      for (const allocation of allocations) {
        store.put(allocation)
        const orphaned = live(allocation).filter(({ agentId }) => !known.has(agentId))
        let after = allocation
        for (const { agentId } of orphaned)
          after = step.agentGone(after, agentId, 'its agent was gone when the master started', clock.now())
        void update(allocation, after)
        if (after.state === 'running') void lastUntilOver(after)
        scheduleTurn(allocation.pool)
      }
    },

    wake() {
      for (const { pool } of store.active()) scheduleTurn(pool)
    },

    onChange: changes.add,
    close: () => closed.abort(),
    async ended() {
      await Promise.all(flushing)
    },
  }
}

function agentsOf(allocation: Allocation): string[] {
  return allocation.containers.map((container) => container.agentId)
}
