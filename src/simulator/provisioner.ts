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
import type { Clock, Journal, JournalRecord, Logger, Metrics } from '../platform/index.ts'
import {
  type ClusterProvider,
  type LaunchOrder,
  type LaunchResult,
  type Listing,
  type Ownership,
  type Provider,
  shareCluster,
} from '../providers/index.ts'
import type { Random } from './scenario.ts'

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
  disk: Disk
  random: Random
  settings: PoolSettings
  launchInputs: () => LaunchInputs
  watcher: Watcher
  onEvent: (event: FleetEvent) => void
  /** An error of the loop itself: always a violation. */
  onFault: (message: string, fields: unknown) => void
  /** Called with whether it died at a call. */
  onDeath: (atCall: boolean) => void
}

export interface Provisioner {
  readonly owner: Ownership
  /** Milliseconds by which its times are ahead of the world's. */
  readonly clockOffset: number
  readonly life: Life
  readonly fleet: Pick<
    PoolFleet,
    'stop' | 'pause' | 'resume' | 'adopt' | 'remove' | 'reconfigure' | 'status' | 'admission'
  >
}

export type StartProvisioner = (options: ProvisionerOptions) => Provisioner

export function startProvisioner(options: ProvisionerOptions): Provisioner {
  const { owner, clock, clockOffset, bootMark, provider, demand, disk, random, watcher } = options
  const { onEvent, onFault } = options
  const life = createLife(options.onDeath)
  const ids = random.fork('ids')
  const silent = () => {}
  const logger: Logger = { debug: silent, info: silent, warn: silent, error: onFault }
  const metrics: Metrics = { count: silent, gauge: silent, observe: silent }
  const ownClock = life.crashable<Clock>({
    now: () => clock.now() + clockOffset,
    sleep: (ms, signal) => clock.sleep(ms, signal),
  })
  const shared = options.cluster && watchedView(options.cluster, options, ownClock)
  const fleet = createPoolFleet(
    {
      pool: owner.pool,
      owner,
      ownWriters: options.ownWriters,
      provider: life.crashable(watchedProvider(provider, watcher, () => clock.now())),
      ...(shared ? { shared: life.crashable(shared) } : {}),
      demand: crashableDemand(
        life,
        shiftedDemand(
          watchedDemand(demand, watcher, () => clock.now()),
          clockOffset,
        ),
      ),
      clock: ownClock,
      bootMark: () => ({ boot: bootMark.boot, uptime: bootMark.uptime() }),
      journal: life.crashable(disk),
      random: random.fork('jitter').next,
      newId: () => `intent-${ids.whole(0, 2 ** 31)}-${ids.whole(0, 2 ** 31)}`,
      launchInputs: options.launchInputs,
      logger,
      metrics,
      onEvent: (event) => life.alive && onEvent(event),
    },
    options.settings,
  )
  void fleet.start()
  return { owner, clockOffset, life, fleet }
}

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

// A process that can die at any await: from then on none of its promises resolves. While it is suspended they wait.

export interface Life {
  readonly alive: boolean
  readonly suspended: boolean
  suspend(): void
  resume(): void
  /** Resolves when it is not suspended. */
  awake(): Promise<void>
  /** Dies now. */
  kill(): void
  /** Dies at a later call: call number `calls` from now, before or after its effect. Takes back an earlier order. */
  killAtCall(calls: number, afterEffect: boolean): void
  /** Makes every method of a port stop when its caller dies. */
  crashable<T extends object>(port: T): T
}

/** `onDeath` gets whether it died at a call. */
export function createLife(onDeath: (atCall: boolean) => void): Life {
  let alive = true
  let suspension: { over: Promise<void>; end: () => void } | undefined
  let countdown: { calls: number; afterEffect: boolean } | undefined
  /** It dies when the call in flight answers, unless that is taken back. */
  let isDoomed = false
  const never = () => new Promise<never>(() => {})

  function kill(atCall = false): void {
    if (!alive) return
    alive = false
    onDeath(atCall)
  }

  async function guarded(call: () => Promise<unknown>): Promise<unknown> {
    if (!alive) return never()
    const isLast = countdown !== undefined && --countdown.calls === 0
    const diesBefore = isLast && !countdown!.afterEffect
    if (isLast) {
      countdown = undefined
      isDoomed = true
    }
    if (diesBefore) {
      kill(true)
      return never()
    }
    let outcome: { value: unknown } | { error: unknown }
    try {
      outcome = { value: await call() }
    } catch (error) {
      outcome = { error }
    }
    if (isLast && isDoomed) kill(true)
    while (suspension) await suspension.over
    if (!alive) return never()
    if ('error' in outcome) throw outcome.error
    return outcome.value
  }

  return {
    get alive() {
      return alive
    },
    get suspended() {
      return suspension !== undefined
    },
    suspend() {
      let end = () => {}
      const over = new Promise<void>((resolve) => {
        end = resolve
      })
      suspension ??= { over, end }
    },
    resume() {
      const ended = suspension
      suspension = undefined
      ended?.end()
    },
    awake: async () => suspension?.over,
    kill: () => kill(),
    killAtCall(calls, afterEffect) {
      countdown = { calls, afterEffect }
      isDoomed = false
    },
    crashable: (port) =>
      new Proxy(port, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name)
          if (typeof value !== 'function') return value
          return (...args: unknown[]) => {
            const call = () => value.apply(target, args) as Promise<unknown>
            return asyncMethods.has(String(name)) ? guarded(call) : call()
          }
        },
      }),
  }
}

/** Methods of the ports that return a promise. */
const asyncMethods = new Set([
  'sleep',
  'append',
  'read',
  'rewrite',
  'list',
  'find',
  'launch',
  'terminate',
  'slotsOf',
  'consoleStage',
  'drain',
  'undrain',
  'close',
])

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

// A disk that keeps its contents when the writer dies.

export interface Disk extends Journal {
  /** What a reader would get now. */
  readonly lines: readonly string[]
  erase(): void
  /** Replaces its contents with those of the other. */
  copy(other: Disk): void
}

/** `onAppend` is called for each record after it is stored. */
export function createDisk(onAppend: (record: JournalRecord) => void = () => {}): Disk {
  let lines: string[] = []
  return {
    async append(record) {
      // Stored as text: later changes to the object must not reach the disk.
      lines.push(JSON.stringify(record))
      onAppend(record)
    },
    async read() {
      return lines.map((line) => JSON.parse(line) as JournalRecord)
    },
    async rewrite(records) {
      lines = records.map((record) => JSON.stringify(record))
    },
    get lines() {
      return lines
    },
    erase() {
      lines = []
    },
    copy(other) {
      lines = [...other.lines]
    },
  }
}
