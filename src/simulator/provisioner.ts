// One process of a provisioner in the world: the real fleet loop on observed ports that can crash.
import type { DemandSource } from '../demand/index.ts'
import {
  createPoolFleet,
  type FleetEvent,
  type LaunchInputs,
  type PoolFleet,
  type PoolSettings,
  type SharedView,
} from '../fleet/index.ts'
import type { Demand } from '../planner/index.ts'
import type { Clock, Journal, Logger, Metrics } from '../platform/index.ts'
import {
  type ClusterProvider,
  type LaunchOrder,
  type LaunchResult,
  type Listing,
  type Ownership,
  type Provider,
  shareCluster,
} from '../providers/index.ts'
import type { LaunchedNow } from '../rollout/index.ts'
import { createLife, type Life } from './life.ts'
import type { Random } from './random.ts'

export interface ProvisionerOptions {
  owner: Ownership
  /** Of this process and the earlier ones. */
  ownWriters: ReadonlySet<string>
  clock: Clock
  /** Milliseconds that its machine's clock is ahead of `clock`. */
  clockOffset: number
  /** `uptime` in milliseconds. */
  bootMark: { boot: string; uptime: () => number }
  provider: Provider
  /** If its pool shares a listing: the whole cluster. */
  cluster?: ClusterProvider | undefined
  demand: DemandSource
  disk: Journal
  /** It may lack records. */
  journalDamaged?: boolean
  random: Random
  settings: PoolSettings
  launchInputs: () => LaunchInputs
  /** Asked at the start of each turn. */
  launchedNow: (fleet: Pick<PoolFleet, 'status'>) => LaunchedNow
  watcher: Watcher
  onEvent: (event: FleetEvent) => void
  /** An error of the loop itself: always a violation. */
  onFault: (message: string, fields: unknown) => void
  /** Called with whether it died at a call. */
  onDeath: (atCall: boolean) => void
  /** Where its pool is led for a term. */
  term?: Term
}

/** One term of a pool on a host that leads others before and after, and other pools. */
export interface Term {
  /** Of the host. */
  life: Life
  isLed: () => boolean
  /** Passed between the last check of the lease and each call that changes something: here the simulation stops a leader. */
  gap: (call: string) => Promise<void>
}

export interface Provisioner {
  readonly owner: Ownership
  /** Milliseconds by which its times are ahead of the world's. */
  readonly clockOffset: number
  readonly life: Life
  readonly fleet: Pick<
    PoolFleet,
    | 'stop'
    | 'abandon'
    | 'pause'
    | 'resume'
    | 'rollout'
    | 'adopt'
    | 'remove'
    | 'reconfigure'
    | 'status'
    | 'admission'
  >
}

export type StartProvisioner = (options: ProvisionerOptions) => Provisioner

export function startProvisioner(options: ProvisionerOptions): Provisioner {
  const { owner, clock, clockOffset, bootMark, provider, demand, disk, random, watcher } = options
  const { onEvent, onFault } = options
  const life = options.term?.life ?? createLife(options.onDeath)
  const ids = random.fork('ids')
  const silent = () => {}
  const logger: Logger = { debug: silent, info: silent, warn: silent, error: onFault }
  const metrics: Metrics = { count: silent, gauge: silent, observe: silent }
  const ownClock = life.crashable<Clock>({
    now: () => clock.now() + clockOffset,
    sleep: (ms, signal) => clock.sleep(ms, signal),
  })
  const shared = options.cluster && watchedView(options.cluster, options, ownClock)
  const fleet: PoolFleet = createPoolFleet(
    {
      pool: owner.pool,
      owner,
      ownWriters: options.ownWriters,
      provider: life.crashable(watchedProvider(passing(provider, options.term), watcher, () => clock.now())),
      ...(shared ? { shared: life.crashable(shared) } : {}),
      demand: crashableDemand(
        life,
        shiftedDemand(
          watchedDemand(passing(demand, options.term), watcher, () => clock.now()),
          clockOffset,
        ),
      ),
      clock: ownClock,
      bootMark: () => ({ boot: bootMark.boot, uptime: bootMark.uptime() }),
      journal: life.crashable(disk),
      ...(options.journalDamaged ? { journalDamaged: true } : {}),
      random: random.fork('jitter').next,
      newId: () => `intent-${ids.whole(0, 2 ** 31)}-${ids.whole(0, 2 ** 31)}`,
      launchInputs: options.launchInputs,
      launchedNow: () => options.launchedNow(fleet),
      logger,
      metrics,
      onEvent: (event) => life.alive && onEvent(event),
      ...(options.term ? { isLed: options.term.isLed } : {}),
    },
    options.settings,
  )
  void fleet.start()
  return { owner, clockOffset, life, fleet }
}

/** Calls that change something pass the gap, and are sent whatever has happened meanwhile. */
function passing<T extends object>(port: T, term: Term | undefined): T {
  if (!term) return port
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function' || !changing.has(String(name))) return value
      return async (...args: unknown[]) => {
        await term.gap(String(name))
        return value.apply(target, args)
      }
    },
  })
}

const changing = new Set(['launch', 'terminate', 'drain', 'undrain'])

/** The pool's part of the whole cluster, by the clock of the process. */
function watchedView(
  cluster: ClusterProvider,
  { provider, watcher, random, clock: worldClock }: ProvisionerOptions,
  clock: Clock,
): SharedView {
  /** When each listing truly began, by the clock of the world. */
  const began = new WeakMap<object, number>()
  const watched: ClusterProvider = {
    ...cluster,
    async list(signal) {
      const from = worldClock.now()
      watcher.onListCall()
      const listing = await cluster.list(signal)
      began.set(listing.instances, from)
      return listing
    },
  }
  const whole = shareCluster(async () => watched, { clock, random: random.fork('listings').next })
  return {
    async list(notBefore) {
      const all = await whole.list(notBefore)
      const part = { ...all, ...provider.partOf!(all) }
      watcher.onListed(began.get(all.instances)!, part)
      return part
    },
    find: whole.find,
  }
}

/** A source reports times by the clock of its own process. */
function shiftedDemand(demand: DemandSource, by: number): DemandSource {
  return {
    ...demand,
    async read(pool, signal) {
      const { at, pending, agents, ...rest } = await demand.read(pool, signal)
      return {
        ...rest,
        at: at + by,
        pending: pending.map((work) => ({ ...work, since: work.since + by })),
        agents: agents.map(({ idleSince, ...agent }) =>
          idleSince === undefined ? agent : { ...agent, idleSince: idleSince + by },
        ),
      }
    },
  }
}

/** A dead process gets no change notifications, a suspended one gets them later. */
function crashableDemand(life: Life, demand: DemandSource): DemandSource {
  return {
    ...life.crashable(demand),
    onChange: (listener) =>
      demand.onChange((pool) => {
        if (life.suspended) void life.awake().then(() => life.alive && listener(pool))
        else if (life.alive) listener(pool)
      }),
  }
}

// Observes every call of a provisioner and passes it to the invariants at once.

export interface Watcher {
  onLaunchCall(order: LaunchOrder): void
  onLaunched(order: LaunchOrder, result: LaunchResult): void
  onTerminateCall(ids: readonly string[]): void
  onListed(startedAt: number, listing: Listing): void
  onListCall(): void
  onRead(demand: Demand, startedAt: number): void
  onDrainCall(id: string): void
  onUndrainCall(id: string): void
}

export function watchedProvider(provider: Provider, watcher: Watcher, now: () => number): Provider {
  return {
    ...provider,
    async list(signal) {
      const startedAt = now()
      watcher.onListCall()
      const listing = await provider.list(signal)
      // What was given up shows nothing.
      if (!signal?.aborted) watcher.onListed(startedAt, listing)
      return listing
    },
    async launch(order, signal) {
      watcher.onLaunchCall(order)
      const result = await provider.launch(order, signal)
      watcher.onLaunched(order, result)
      return result
    },
    terminate(ids, signal) {
      watcher.onTerminateCall(ids)
      return provider.terminate(ids, signal)
    },
  }
}

export function watchedDemand(demand: DemandSource, watcher: Watcher, now: () => number): DemandSource {
  return {
    ...demand,
    async read(pool, signal) {
      const startedAt = now()
      const answer = await demand.read(pool, signal)
      watcher.onRead(answer, startedAt)
      return answer
    },
    drain(id, signal) {
      watcher.onDrainCall(id)
      return demand.drain(id, signal)
    },
    undrain(id, signal) {
      watcher.onUndrainCall(id)
      return demand.undrain(id, signal)
    },
  }
}
