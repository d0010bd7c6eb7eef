// The built-in master: accepts agents and jobs, and shows both in its REST API.

import { randomUUID } from 'node:crypto'
import type { MasterConfig } from '../../config/index.ts'
import type { AgentState, Demand } from '../../planner/index.ts'
import {
  type Clock,
  groupedLog,
  type Handler,
  type Logger,
  type UpgradeHandler,
} from '../../platform/index.ts'
import type { Problem } from '../../problems/index.ts'
import type { AnyProvider } from '../../providers/index.ts'
import type { MasterInfo } from '../protocol/messages.ts'
import {
  type AdmissionRules,
  type Agent,
  type AgentEvent,
  hasJoined,
  type RefusedJoin,
  shownDraining,
  shownEnabled,
} from './agent.ts'
import { agentSocket } from './agent-socket.ts'
import { createListeners, createRegistry } from './agents.ts'
import type { Allocation } from './allocation.ts'
import { createCommandAgents } from './command-agents.ts'
import { inMemoryJobStore, type JobStore } from './job-store.ts'
import type { JoinProofRules } from './join-proof.ts'
import { createLogStore, type StoredLogs } from './log-store.ts'
import { hostOf } from './queue.ts'
import { masterRoutes } from './rest.ts'
import { routesHandler } from './rest-router.ts'
import type { JobAdvice } from './rest-work.ts'
import { createWorkStore, type WorkStore } from './store.ts'
import { createWaiters } from './task-logs.ts'
import { taskOutputHandler } from './task-output.ts'
import { createWorkQueue } from './work-queue.ts'

export interface MasterOptions {
  config: Pick<MasterConfig, 'cluster_name' | 'resource_manager' | 'resource_pools'>
  /** Every kind of provider. */
  providers: readonly AnyProvider[]
  version: string
  /** New at each start. */
  masterId: string
  clusterId: string
  clock: Clock
  logger: Logger
  /** For pools without `agents: any`: is `id` one of the pool's instances that can run? */
  mayJoin: AdmissionRules['mayJoin']
  /** The same for pools that were removed from the configuration. */
  mayReturn?: AdmissionRules['mayReturn']
  /**
   * For pools with `join: {proof: required}`. It decides about new connections only: an agent whose certificate is no longer
   * in force keeps its connection and its work, and cannot reconnect.
   */
  joinProof?: JoinProofRules
  /** Stores jobs and agents (`openJobStore`); none: a restart forgets them. Closed with the master. */
  jobStore?: JobStore
  /** Where the output of jobs is stored (`openStoredLogs`); none: a restart forgets it. */
  storedLogs?: StoredLogs
  /** What the owner of the pools knows about jobs that wait. */
  advice?: JobAdvice
  /** PEM chain with which the tasks of commands verify the master; undefined while there is none. */
  taskCertificate?: () => string | undefined
  /** Milliseconds that an agent whose instance is not listed yet waits for its answer; default 15 s. */
  longestHold?: number
}

export interface Master {
  handlers: Handler[]
  /** Takes the output of containers, which have tokens of their own: put it before the access handler. */
  taskOutput: Handler
  /** The REST API alone, without the socket of agents. */
  rest: Handler
  upgrades: UpgradeHandler[]
  /** Sorted by id; includes agents that are away. */
  agents(): Agent[]
  agent(id: string): Agent | undefined
  onAgent(listener: (event: AgentEvent) => void): () => void
  onRefused(listener: (refused: RefusedJoin) => void): () => void
  /**
   * The pool's instances have been listed. Agents that were admitted before and have no instance are disconnected, and
   * their work is requeued. Once an agent was checked, later listings change nothing: the fleet handles an instance that
   * is missing from a listing.
   */
  judge(pool: string): void
  /** The instance is gone: the master does not wait for its agent. */
  forget(agentId: string, reason: string): void
  /** undefined: there is no such pool. */
  demandOf(pool: string): Demand | undefined
  onDemand(listener: (pool: string) => void): () => void
  /** A drain by the provisioner, not by an operator. False when the agent is unknown. */
  drain(agentId: string): boolean
  /** Cancels the provisioner's drain; an agent that an operator has disabled stays disabled. */
  undrain(agentId: string): boolean
  /** Why no job can start now, for /healthz. */
  fault(): Problem | undefined
  /** Closes the agents' connections; the caller closes the listener. */
  close(): Promise<void>
}

export function createMaster(options: MasterOptions): Master {
  const { config, providers, clock, logger, jobStore = inMemoryJobStore() } = options
  const pools = new Map(config.resource_pools.map((pool) => [pool.pool_name, pool]))
  const auxLimit = (pool: string) => pools.get(pool)?.max_aux_containers_per_agent ?? 0
  const masterInfo = masterInfoOf(options)
  const refused = createListeners<RefusedJoin>(logger)
  const logRefused = groupedLog({ clock, log: logger.warn })
  const waiters = createWaiters()
  const stopped = new AbortController()
  const logs = createLogStore(waiters.wake, options.storedLogs)
  const demand = createDemandView({
    clock,
    auxLimit,
    agents: () => registry.list(),
    mayWork: (agent) => registry.mayWork(agent),
    canRun: (job) => commands.cannotRun(job) === undefined,
    store: () => store,
  })
  const store = createWorkStore({
    onFree: demand.onFree,
    onPut: waiters.wake,
    onForget(id) {
      logs.forget(id)
      void jobStore.keep({ at: clock.now(), kind: 'allocation_forgotten', id })
    },
  })

  const registry = createRegistry({
    clock,
    logger,
    masterInfo,
    hasPool: (pool) => pools.has(pool),
    mayReturn: options.mayReturn ?? (() => 'no'),
    takesAny: (pool) => pools.get(pool)?.agents === 'any',
    mayJoin: options.mayJoin,
    reconnectWait: (pool) => pools.get(pool)?.agent_reconnect_wait ?? 25_000,
    reattach: (id) => queue.expectedOn(id),
    received(containerId) {
      const job = store.owner(containerId)
      return job && logs.received(job.id, containerId)
    },
    isOfJob: (containerId) => store.owner(containerId) !== undefined,
    stateLost: jobStore.stateLost,
    onReattached: (agent, acks) => queue.onReattached(agent, acks),
    onMessage: (agent, message) => queue.onMessage(agent, message),
  })
  const commands = createCommandAgents({
    pools: config.resource_pools,
    agents: registry.list,
    now: () => clock.now(),
  })
  const queue = createWorkQueue({
    clock,
    logger,
    store,
    logs,
    auxLimit,
    newId: randomUUID,
    agents: registry.list,
    mayWork: registry.mayWork,
    send: registry.send,
    keep: (allocation) => jobStore.keep({ at: clock.now(), kind: 'allocation', allocation }),
    ready: () => jobStore.fault() === undefined,
    environment: { clusterId: options.clusterId, certificate: options.taskCertificate ?? (() => undefined) },
  })
  const socket = agentSocket({
    registry,
    clock,
    requireAuthentication: config.resource_manager.require_authentication,
    joinProof: options.joinProof,
    longestHold: options.longestHold,
    onRefused(event) {
      const { id: agent, pool, address, kind, status, message: reason } = event
      // A client that uses many ids or pools still counts as one source.
      logRefused(`${address} ${kind}`, 'agent rejected', { agent, pool, address, status, reason })
      refused.emit(event)
    },
  })

  registry.onEvent((event) => {
    queue.onAgent(event)
    demand.onAgent(event)
    if (event.kind === 'joined' || event.kind === 'returned') commands.saw(event.agent)
    void keepAgent(jobStore, event)
  })
  for (const agent of jobStore.found.agents.values()) registry.restore(agent)
  queue.restore([...jobStore.found.allocations.values()])
  jobStore.onMended(queue.wake)

  function setDrain(id: string, provisionerDrain: boolean): boolean {
    return registry.order(id, { provisionerDrain }) !== undefined
  }

  const rest = routesHandler(
    masterRoutes({
      config,
      providers,
      masterInfo,
      registry,
      queue,
      store,
      logs,
      commands,
      fault: jobStore.fault,
      advice: options.advice,
      waiters,
      closed: stopped.signal,
    }),
  )

  return {
    handlers: [socket.handler, rest],
    taskOutput: taskOutputHandler({ store, logs, clock }),
    rest,
    upgrades: [socket.upgrade],
    agents: registry.list,
    agent: registry.get,
    onAgent: registry.onEvent,
    onRefused: refused.add,
    judge(pool) {
      if (registry.judge(pool)) queue.wake()
    },
    forget: registry.remove,
    // Agents of a removed pool are shown until the last one is terminated.
    demandOf: (pool) =>
      pools.has(pool) || registry.list().some((agent) => agent.pool === pool)
        ? demand.demandOf(pool)
        : undefined,
    onDemand: queue.onChange,
    drain: (id) => setDrain(id, true),
    undrain: (id) => setDrain(id, false),
    fault: jobStore.fault,
    async close() {
      queue.close()
      stopped.abort()
      const closed = registry.close()
      // After the registry has started to close, so that held dials get the answer that this master is stopping.
      socket.close()
      await closed
      await logs.close()
      await queue.ended()
      await jobStore.close()
    },
  }
}

function masterInfoOf({ version, masterId, clusterId, config }: MasterOptions): MasterInfo {
  return {
    version,
    master_id: masterId,
    cluster_id: clusterId,
    cluster_name: config.cluster_name,
    telemetry: { enabled: false, otel_enabled: false, otel_endpoint: '' },
  }
}

/** Records for a restart: agents that joined, their devices, their orders, and their removal. */
async function keepAgent(jobStore: JobStore, { kind, agent, at }: AgentEvent): Promise<void> {
  if (kind === 'joined' || kind === 'returned' || kind === 'ordered' || kind === 'freed')
    await jobStore.keep({ at, kind: 'agent', agent })
  else if (kind === 'removed') await jobStore.keep({ at, kind: 'agent_removed', id: agent.id })
}

// The demand of a pool, and the time since when each of its agents has been idle.

export interface DemandView {
  demandOf(pool: string): Demand
  /** An agent became idle. */
  onFree(agentId: string): void
  onAgent(event: AgentEvent): void
}

export interface DemandViewOptions {
  clock: Clock
  store: () => WorkStore
  agents: () => Agent[]
  mayWork: (agent: Agent) => boolean
  /** No instance is launched for a job that the agents of its pool cannot run. */
  canRun: (job: Allocation) => boolean
  auxLimit: (pool: string) => number
}

export function createDemandView({
  clock,
  store,
  agents,
  mayWork,
  canRun,
  auxLimit,
}: DemandViewOptions): DemandView {
  /** Milliseconds since the epoch; valid for an agent only while it is not busy. */
  const idleSince = new Map<string, number>()

  function stateOf(agent: Agent, now: number): AgentState {
    const { slots, free, freeAux, busy } = hostOf(agent, store().heldOn(agent.id), auxLimit(agent.pool))
    return {
      ...{ id: agent.id, slots, freeSlots: free.length, freeAux, busy },
      ...(!busy && { idleSince: idleSince.get(agent.id) ?? now }),
      connected: agent.phase !== 'away',
      enabled: shownEnabled(agent),
      draining: shownDraining(agent),
      ...(!agent.enabled && { disabledByPerson: true }),
      ...(!mayWork(agent) && { getsNoWork: true }),
    }
  }

  return {
    demandOf(pool) {
      const now = clock.now()
      const members = agents().filter((agent) => agent.pool === pool && hasJoined(agent))
      const pending = store()
        .active()
        .filter(
          (allocation) => allocation.pool === pool && allocation.state === 'pending' && canRun(allocation),
        )
        .map(({ id, slots, submittedAt: since }) => ({ id, slots, since }))
      return { pool, at: now, pending, agents: members.map((agent) => stateOf(agent, now)) }
    },
    onFree: (agentId) => void idleSince.set(agentId, clock.now()),
    onAgent({ kind, agent, at }) {
      if (kind === 'removed') idleSince.delete(agent.id)
      else if (kind === 'freed') idleSince.set(agent.id, at)
      // Also for an agent from before a restart, whose idle time was not recorded.
      else if (!idleSince.has(agent.id)) idleSince.set(agent.id, at)
    },
  }
}
