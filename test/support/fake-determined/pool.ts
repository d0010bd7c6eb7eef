// A pool's real loop between a simulated cloud and a fake Determined master on a real socket, with a fast clock.
import type { DeterminedDemand } from '../../../src/demand/determined/source.ts'
import type { FleetEvent } from '../../../src/fleet/events.ts'
import { createPoolFleet, type PoolFleet } from '../../../src/fleet/index.ts'
import type { Policy } from '../../../src/planner/snapshot.ts'
import { type Cloud, createCloud, noFaults } from '../../../src/simulator/cloud.ts'
import { createDisk } from '../../../src/simulator/disk.ts'
import { simulatedProvider } from '../../../src/simulator/provider.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { FastClock } from '../fast-clock.ts'
import { policy, second } from '../planner.ts'
import { silentLogger } from '../silent-logger.ts'
import { type Opened, openFake } from './opened.ts'
import { join } from './world.ts'

export interface DeterminedPool extends Opened {
  cloud: Cloud
  clock: FastClock
  fleet: PoolFleet
  events: FleetEvent[]
  /** Running VMs. */
  live(): string[]
  /** Ids for which the loop made such a move. */
  moved(move: 'launch' | 'drain' | 'undrain' | 'terminate'): string[]
  /** Stops the provisioner and starts it again with the same state. */
  restart(): Promise<void>
}

const owner = { clusterId: 'cluster', pool: 'default', writerId: 'writer' }

/** Agents have four slots, and join ten seconds after the launch of their VM. The clock runs twenty times as fast as real time. */
export async function startPool(rules: Partial<Policy> = {}): Promise<DeterminedPool> {
  const clock = new FastClock(20)
  const opened = await openFake({ now: () => clock.now() })
  const { world } = opened
  world.schedules = true
  const cloud = createCloud({
    clock,
    faults: noFaults,
    catalogue: { m4: 4 },
    events: {
      onCreated(vm) {
        void clock.sleep(10 * second).then(() => {
          if (vm.endedAt === undefined) join(world, vm.instance.id, 4)
        })
      },
      onEnded: ({ instance }) => void world.agents.delete(instance.id),
    },
  })
  const disk = createDisk()
  const events: FleetEvent[] = []
  let count = 0
  let source: DeterminedDemand

  async function start(): Promise<PoolFleet> {
    source = opened.open({ clock, pollIntervalMs: 2 * second })
    const fleet = createPoolFleet(
      {
        pool: owner.pool,
        owner,
        ownWriters: new Set([owner.writerId]),
        provider: simulatedProvider(cloud, owner),
        demand: source,
        clock,
        journal: disk,
        random: () => 0,
        newId: () => `intent-${++count}`,
        launchInputs: () => ({ kind: 'ready', userData: userDataOf('agent'), version: '1', probe: false }),
        logger: silentLogger,
        metrics: { count() {}, gauge() {}, observe() {} },
        onEvent: (event) => events.push(event),
      },
      {
        policy: policy({ maxIdle: 40 * second, ...rules }),
        offerings: [{ instanceType: 'm4', zone: 'a', capacityType: 'on_demand', slots: 4, preference: 0 }],
        launchError: { timeout: 0, retries: 0 },
        visibility: 0,
      },
    )
    await fleet.start()
    return fleet
  }

  const pool: DeterminedPool = {
    ...opened,
    cloud,
    clock,
    events,
    fleet: await start(),
    live: () =>
      [...cloud.instances.values()].filter((vm) => vm.endedAt === undefined).map((vm) => vm.instance.id),
    moved: (move) =>
      events.flatMap((event) => (event.kind === 'decided' && event.move === move ? event.ids : [])),
    async restart() {
      await pool.fleet.stop()
      await source.close()
      pool.fleet = await start()
    },
    async dispose() {
      await pool.fleet.stop()
      await opened.dispose()
    },
  }
  return pool
}
