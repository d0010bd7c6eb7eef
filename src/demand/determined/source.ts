// Demand of a Determined master, over its REST API: every read is fresh, and a slow poll detects changes.
import type { MasterConfig } from '../../config/index.ts'
import type { AgentState, Demand } from '../../planner/index.ts'
import { type Clock, type Environment, type Logger, wallTime } from '../../platform/index.ts'
import { isError, type Problem, ProvisionError } from '../../problems/index.ts'
import type { DemandSource } from '../source.ts'
import { type Api, createApi, type SeenAgent } from './api.ts'
import { endpointOf } from './connections.ts'
import { type Outage, watchOutage } from './failures.ts'
import { fileWarnings } from './login.ts'
import { createPermission, drainRefusal, type Permission, poolRefusal } from './refusals.ts'
import { type MasterFacts, openSession } from './session.ts'
import {
  createLimitReader,
  demandOf,
  emptyMemory,
  type LimitReader,
  type Memory,
  readView,
  remember,
  type View,
} from './view.ts'

export interface DeterminedDemandOptions {
  config: Pick<MasterConfig, 'locate' | 'port' | 'security' | 'demand'>
  /** Variables that may name a proxy. */
  env?: Environment
  /** The provisioner's version, for the master's log. */
  version?: string
  clock: Clock
  /** From 0 up to 1. */
  random: () => number
  logger: Logger
  /** Milliseconds between two polls while the master is fast; default 2 s. */
  pollIntervalMs?: number
  /** Milliseconds for one request, except a login; default 10 s. */
  timeoutMs?: number
  /** Milliseconds for a login with a password; default 60 s. */
  loginTimeoutMs?: number
}

export interface DeterminedDemand extends DemandSource {
  /** The master's version and cluster id, without a login. Throws the reason if it does not respond. */
  facts(signal?: AbortSignal): Promise<MasterFacts>
  /** All problems of the master, the login and these pools; never throws. Pools run in spite of warnings. */
  check(pools: readonly string[], signal?: AbortSignal): Promise<Problem[]>
  /** Whether the master rejects experiments that all its agents together are too small for. Throws if it does not respond. */
  launchError(signal?: AbortSignal): Promise<boolean>
  /** Why the master cannot be used now; undefined while it can. */
  outage(): Problem | undefined
}

/** Opens no connection yet. */
export function determinedDemand(options: DeterminedDemandOptions): DeterminedDemand {
  const { config, env, version, clock, random, logger, pollIntervalMs = 2_000 } = options
  const { timeoutMs = 10_000, loginTimeoutMs = 60_000 } = options
  const session = openSession({
    endpoint: () => endpointOf(config, wallTime(clock), env),
    login: config.demand,
    userAgent: version === undefined ? 'provision' : `provision/${version}`,
    timeoutMs,
    loginTimeoutMs,
    clock,
    random,
    logger,
  })
  const api = createApi(session)
  const permission = createPermission(api, clock)
  const closed = new AbortController()
  const outage = watchOutage({ clock, random, logger, signal: closed.signal })
  const poller = createLooker({
    api,
    limits: createLimitReader(api, clock),
    permission,
    clock,
    outage,
    signal: closed.signal,
  })
  const changes = createChanges({
    poller,
    outage,
    clock,
    random,
    logger,
    pollIntervalMs,
    signal: closed.signal,
  })
  const drains = createDrains(
    {
      agent: api.agent,
      drain: (id, signal, mayAct) => permission.watch(api.drain(id, signal, mayAct)),
      enable: (id, signal, mayAct) => permission.watch(api.enable(id, signal, mayAct)),
    },
    clock,
  )
  let facts: MasterFacts | undefined
  async function readFacts(signal?: AbortSignal): Promise<MasterFacts> {
    facts = await session.facts(signal)
    return facts
  }

  function refusalOf(pool: string, view: View): Problem | undefined {
    return view.mayDrain ? poolRefusal(pool, view) : drainRefusal(config.demand.user, facts)
  }

  return {
    kind: 'determined',
    async read(pool, signal): Promise<Demand> {
      const { view, memory } = await poller.poll(pool, signal)
      const refusal = refusalOf(pool, view)
      if (refusal) throw new ProvisionError(refusal)
      const demand = demandOf(pool, view, memory)
      return { ...demand, agents: drains.counted(demand.agents, view) }
    },
    onChange: changes.onChange,
    drain: drains.drain,
    undrain: drains.undrain,
    facts: readFacts,
    launchError: api.launchError,
    outage: () => outage.problem(),
    async check(pools, signal) {
      const problems: Problem[] = []
      try {
        problems.push(...session.endpoint().warnings, ...fileWarnings(config.demand))
        await readFacts(signal)
        if (!(await permission.mayDrain(signal)))
          return [...problems, drainRefusal(config.demand.user, facts)]
        for (const pool of pools) {
          const refusal = refusalOf(pool, (await poller.poll(pool, signal)).view)
          if (refusal) problems.push(refusal)
        }
      } catch (error) {
        if (!(error instanceof ProvisionError)) throw error
        problems.push(...error.problems.filter(isError))
      }
      return problems
    },
    async close() {
      if (closed.signal.aborted) return
      closed.abort(new Error('the source of demand is closed'))
      await session.close()
    },
  }
}

// Detects changes at the master. The master sends no events, so it is polled, less often when it is slow.

export interface ChangesOptions {
  poller: Looker
  outage: Outage
  clock: Clock
  random: () => number
  logger: Logger
  /** Milliseconds. */
  pollIntervalMs: number
  signal: AbortSignal
}

/** Polls take at most a tenth of the master's time: each list of tasks costs it one query for every task. */
const pausePerPoll = 10

/** Polls while there is a listener. */
export function createChanges(options: ChangesOptions): Pick<DemandSource, 'onChange'> {
  const { poller, outage, clock, random, logger, pollIntervalMs, signal } = options
  const listeners = new Set<{ notify: (pool: string) => void }>()
  const reported = new Map<string, string>()
  let isLooking = false

  async function keepLooking(): Promise<void> {
    while (listeners.size > 0 && !signal.aborted) {
      const began = clock.now()
      await poller.poll().then(notifyChanges, () => {})
      const pause = Math.max(pollIntervalMs, (clock.now() - began) * pausePerPoll)
      // An outage has its own backoff and jitter.
      const wait = outage.wait() || pause * (1 + random() / 4)
      await clock.sleep(wait, signal).catch(() => {})
    }
    isLooking = false
  }

  function notifyChanges(poll: Poll): void {
    for (const pool of poll.view.pools.keys()) {
      const now = fingerprint(pool, poll)
      if (reported.get(pool) === now) continue
      reported.set(pool, now)
      if (signal.aborted) return
      for (const { notify } of [...listeners])
        try {
          notify(pool)
        } catch (error) {
          logger.error('a change at the master was not processed', { pool, error })
        }
    }
  }

  return {
    onChange(notify) {
      const listener = { notify }
      listeners.add(listener)
      if (!isLooking && !signal.aborted) {
        isLooking = true
        void keepLooking()
      }
      return () => void listeners.delete(listener)
    },
  }
}

/** The same value until something changes that a plan depends on. */
function fingerprint(pool: string, { view, memory }: Poll): string {
  const { pending, agents } = demandOf(pool, view, memory)
  return JSON.stringify([
    pending.map(({ id }) => id).sort(),
    agents.map(({ idleSince: _, ...state }) => state),
  ])
}

// Polls the master, one poll at a time: concurrent callers share it.

export interface Poll {
  view: View
  /** The memory after this view. */
  memory: Memory
}

export interface Looker {
  /** Includes the pool's job queue from now on. Rejects with the signal's reason as soon as it is aborted. */
  poll(pool?: string, signal?: AbortSignal): Promise<Poll>
  /** The newest successful poll. */
  last(): Poll | undefined
}

export interface LookerOptions {
  api: Api
  limits: LimitReader
  permission: Permission
  clock: Clock
  outage: Outage
  /** Aborts the running poll, and all later ones. */
  signal: AbortSignal
}

export function createLooker({ clock, outage, signal: closed, ...from }: LookerOptions): Looker {
  const pools = new Set<string>()
  let last: Poll | undefined
  let flight: { pools: ReadonlySet<string>; poll: Promise<Poll> } | undefined

  async function pollNow(): Promise<Poll> {
    closed.throwIfAborted()
    const view = await outage.attempt(() => readView(from, pools, clock, closed))
    last = { view, memory: remember(last?.memory ?? emptyMemory, view) }
    return last
  }

  async function shared(pool: string | undefined): Promise<Poll> {
    if (pool !== undefined) pools.add(pool)
    while (flight) {
      if (pool === undefined || flight.pools.has(pool)) return flight.poll
      // The poll in progress began without the queue of this pool.
      await flight.poll.catch(() => {})
    }
    const mine = { pools: new Set(pools), poll: pollNow() }
    flight = mine
    mine.poll
      .catch(() => {})
      .finally(() => {
        if (flight === mine) flight = undefined
      })
    return mine.poll
  }

  return {
    last: () => last,
    async poll(pool, signal) {
      signal?.throwIfAborted()
      if (!signal) return shared(pool)
      const stopped = Promise.withResolvers<never>()
      const stop = () => stopped.reject(signal.reason)
      signal.addEventListener('abort', stop, { once: true })
      try {
        return await Promise.race([shared(pool), stopped.promise])
      } finally {
        signal.removeEventListener('abort', stop)
      }
    },
  }
}

// Drains agents and restores them: an agent that someone else disabled, earlier or later, stays disabled.

export interface Drains extends Pick<DemandSource, 'drain' | 'undrain'> {
  /** The pool's agents in a view, combined with our own drains. */
  counted(agents: AgentState[], view: Pick<View, 'at' | 'agents'>): AgentState[]
}

/** `ours`: it accepted jobs before our drain. `theirs`: someone else had already disabled it. */
type Whose = 'ours' | 'theirs'

export function createDrains(api: Pick<Api, 'agent' | 'drain' | 'enable'>, clock: Clock): Drains {
  /** `at`: milliseconds since the epoch, when the master had responded. */
  const drained = new Map<string, { whose: Whose; at: number }>()

  /** The master shows when a person disabled an agent; for `draining`, only our memory knows whose drain it is. */
  function whose(agent: Pick<SeenAgent, 'id' | 'enabled' | 'draining'>): Whose | undefined {
    if (agent.enabled) return undefined
    return agent.draining ? drained.get(agent.id)?.whose : 'theirs'
  }

  /** Forgets agents that are gone, and those that somebody enabled after our drain: their next drain is a new one. */
  function forgetUndone({ at, agents }: Pick<View, 'at' | 'agents'>): void {
    const shut = new Set(agents.filter(({ enabled }) => !enabled).map(({ id }) => id))
    for (const [id, drain] of drained) if (drain.at < at && !shut.has(id)) drained.delete(id)
  }

  return {
    async drain(agentId, signal, mayAct) {
      signal?.throwIfAborted()
      // Not from the last view: an agent that was disabled since then would seem to accept jobs.
      const before = await api.agent(agentId, signal)
      if (!before) {
        drained.delete(agentId)
        return false
      }
      const now = before.enabled ? 'ours' : (whose(before) ?? 'theirs')
      // A disabled agent gets no jobs anyway. If we drained it as well, the disabling would look like ours.
      const known = (!before.enabled && !before.draining) || (await api.drain(agentId, signal, mayAct))
      if (known) drained.set(agentId, { whose: now, at: clock.now() })
      else drained.delete(agentId)
      return known
    },
    async undrain(agentId, signal, mayAct) {
      signal?.throwIfAborted()
      const agent = await api.agent(agentId, signal)
      // A draining agent that is not remembered was drained by us before a restart: the journal of the fleet contains
      // it.
      const isOurs = agent?.draining === true && (whose(agent) ?? 'ours') === 'ours'
      const known = isOurs ? await api.enable(agentId, signal, mayAct) : agent !== undefined
      drained.delete(agentId)
      return known
    },
    counted(agents, view) {
      forgetUndone(view)
      return agents.map((agent) => {
        if (!drained.has(agent.id) || whose(agent) !== 'theirs') return agent
        return { ...agent, draining: true, disabledByPerson: true }
      })
    },
  }
}
