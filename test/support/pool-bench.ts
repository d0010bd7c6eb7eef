// A pool's loop with the simulated cloud and a scripted master, in virtual time.

import type { DemandSource } from '../../src/demand/source.ts'
import type { FleetEvent } from '../../src/fleet/events.ts'
import { createPoolFleet, type PoolFleet } from '../../src/fleet/index.ts'
import type { LaunchInputs, PoolDeps, PoolSettings } from '../../src/fleet/run.ts'
import type { AgentState, PendingAllocation, Policy } from '../../src/planner/snapshot.ts'
import type { Clock } from '../../src/platform/ports.ts'
import type { LaunchOrder } from '../../src/providers/contract.ts'
import { type Cloud, createCloud, endInstance, type Faults, noFaults } from '../../src/simulator/cloud.ts'
import { createDisk, type Disk } from '../../src/simulator/disk.ts'
import { createLife, type Life } from '../../src/simulator/life.ts'
import { simulatedProvider } from '../../src/simulator/provider.ts'
import { createVirtualClock } from '../../src/simulator/virtual-clock.ts'
import { userDataOf } from '../../src/testing/order.ts'
import { policy, second, now as start } from './planner.ts'
import { silentLogger } from './silent-logger.ts'

/** The scripted master: tests set its agents and jobs. */
export interface ScriptedDemand {
  pending: PendingAllocation[]
  agents: Map<string, AgentState>
  down: boolean
  /** Called with every agent that is drained, before the answer. */
  onDrain: (id: string) => void
}

export interface PoolBench {
  clock: Clock
  cloud: Cloud
  faults: Faults
  disk: Disk
  master: ScriptedDemand
  /** How the loop reads that master. */
  source: DemandSource
  calls: { launches: LaunchOrder[]; terminated: string[][]; lists: number }
  events: FleetEvent[]
  settings: PoolSettings
  material: LaunchInputs
  /** The running loop, and what it was started with. */
  fleet: PoolFleet
  deps: PoolDeps
  life: Life
  now(): number
  /** Advances the clock by this many seconds. */
  pass(seconds: number): Promise<void>
  /** Restarts the loop with the same disk and cloud, as after a crash or as another provisioner. */
  restart(changes?: Partial<PoolDeps>): void
  /** Adds pending jobs, and the master reports them. */
  wants(...slots: number[]): void
  /** The agents of these VMs join, idle. */
  joins(...ids: string[]): void
  ids(): string[]
}

export const owner = { clusterId: 'cluster', pool: 'default', writerId: 'writer' }

export async function startBench(
  rules: Partial<Policy> = {},
  changes: Partial<PoolSettings> = {},
): Promise<PoolBench> {
  const clock = createVirtualClock(start)
  const faults: Faults = { ...noFaults, latency: () => ({ there: 100, back: 100 }) }
  const listeners = new Set<(pool: string) => void>()
  let count = 0
  const cloud = createCloud({ clock, faults, catalogue: { m4: 4 } })
  const provider = simulatedProvider(cloud, owner)

  const source: DemandSource = {
    kind: 'built-in',
    async read(pool) {
      if (bench.master.down) throw new Error('the master is down')
      const { pending, agents } = bench.master
      return {
        pool,
        at: clock.now(),
        pending: [...pending],
        agents: [...agents.values()].map((a) => ({ ...a })),
      }
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async drain(id) {
      bench.master.onDrain(id)
      const agent = bench.master.agents.get(id)
      if (agent) Object.assign(agent, { draining: true, enabled: false })
      await clock.sleep(1)
      return agent !== undefined
    },
    async undrain(id) {
      const agent = bench.master.agents.get(id)
      if (agent) Object.assign(agent, { draining: false, enabled: true })
      return agent !== undefined
    },
    close: async () => {},
  }

  const bench: PoolBench = {
    cloud,
    faults,
    disk: createDisk(),
    master: { pending: [], agents: new Map(), down: false, onDrain: () => {} },
    source,
    calls: { launches: [], terminated: [], lists: 0 },
    events: [],
    settings: {
      policy: policy(rules),
      offerings: [{ instanceType: 'm4', zone: 'a', capacityType: 'on_demand', slots: 4, preference: 0 }],
      launchError: { timeout: 0, retries: 0 },
      visibility: 180 * second,
      ...changes,
    },
    material: { kind: 'ready', userData: userDataOf('first'), version: '1', probe: false },
    fleet: undefined as unknown as PoolFleet,
    deps: undefined as unknown as PoolDeps,
    life: undefined as unknown as Life,
    clock,
    now: () => clock.now(),
    async pass(seconds) {
      let over = false
      clock.after(seconds * second, () => {
        over = true
      })
      await clock.run(() => over)
    },
    restart(deps = {}) {
      const life = createLife(() => {})
      const watched = {
        ...provider,
        list(signal?: AbortSignal) {
          bench.calls.lists++
          return provider.list(signal)
        },
        launch(order: LaunchOrder, signal?: AbortSignal) {
          bench.calls.launches.push(order)
          return provider.launch(order, signal)
        },
        terminate(ids: string[], signal?: AbortSignal) {
          bench.calls.terminated.push(ids)
          return provider.terminate(ids, signal)
        },
      }
      bench.life = life
      bench.deps = {
        pool: owner.pool,
        owner,
        ownWriters: new Set([(deps.owner ?? owner).writerId]),
        provider: life.crashable(watched),
        clock: life.crashable(clock),
        journal: life.crashable(bench.disk),
        random: () => 0,
        newId: () => `intent-${++count}`,
        launchInputs: () => bench.material,
        logger: silentLogger,
        metrics: { count() {}, gauge() {}, observe() {} },
        onEvent: (event) => bench.events.push(event),
        ...deps,
        demand: { ...life.crashable(deps.demand ?? source), onChange: source.onChange },
      }
      bench.fleet = createPoolFleet(bench.deps, bench.settings)
      void bench.fleet.start()
    },
    wants(...slots) {
      bench.master.pending = slots.map((n, i) => ({ id: `work-${i}`, slots: n, since: clock.now() }))
      for (const listener of listeners) listener(owner.pool)
    },
    joins(...ids) {
      for (const id of ids)
        bench.master.agents.set(id, {
          id,
          slots: 4,
          freeSlots: 4,
          busy: false,
          connected: true,
          enabled: true,
          draining: false,
        })
      for (const listener of listeners) listener(owner.pool)
    },
    ids: () => [...cloud.instances.keys()],
  }
  bench.restart()
  return bench
}

/** A bench with an existing journal: it may launch at once. */
export async function startSettled(
  rules: Partial<Policy> = {},
  changes: Partial<PoolSettings> = {},
): Promise<PoolBench> {
  const bench = await startBench(rules, changes)
  await bench.pass(70)
  return bench
}

/** This many instances join one after the other, and stop at once. */
export async function inVain(bench: PoolBench, count: number): Promise<void> {
  bench.faults.lingersFor = () => 10 * second
  for (let n = 0; n < count; n++) {
    bench.wants(4)
    await bench.pass(8)
    const id = bench.ids().at(-1)!
    bench.joins(id)
    await bench.pass(8)
    endInstance(bench.cloud, bench.cloud.instances.get(id)!, 'the machine failed')
    bench.master.agents.delete(id)
    bench.wants()
    await bench.pass(12)
  }
}

export function codesOf(bench: PoolBench): string[] {
  return bench.fleet.status().blocked.map(({ code }) => code)
}

export function problemsOf(bench: PoolBench): string[] {
  return bench.events.flatMap((event) => (event.kind === 'problem' ? [event.problem.code] : []))
}
