// Other pools of the cluster in the same account: they use up the quota and the rate limits, and share a listing.

import type { DemandSource } from '../demand/index.ts'
import { createPoolFleet, type PoolSettings } from '../fleet/index.ts'
import type { AgentState, PendingAllocation } from '../planner/index.ts'
import { type SharedCluster, shareCluster } from '../providers/index.ts'
import { type Cloud, type CloudInstance, endInstance } from './cloud.ts'
import { createDisk } from './disk.ts'
import { createLife, type Life } from './life.ts'
import { simulatedCluster, simulatedProvider } from './provider.ts'
import type { Random } from './random.ts'
import { clusterId } from './scenario.ts'
import type { World } from './world.ts'

const second = 1000
const mostNeighbours = 4

export interface Neighbours {
  /** An instance of a pool that is not the world's own was launched, or ended. */
  onCreated(vm: CloudInstance): void
  onEnded(vm: CloudInstance): void
  /** They stop, and their instances end: the world's own pool comes to rest by itself. */
  leave(): void
}

export const noNeighbours: Neighbours = { onCreated() {}, onEnded() {}, leave() {} }

/** Starts them in one process, which never crashes. Their pools have limits, jobs and agents of their own. */
export function startNeighbours(world: World, settings: PoolSettings): Neighbours {
  const { cloud, clock, random } = world
  const draw = random.fork('neighbours')
  const shared = shareCluster(async () => simulatedCluster(cloud, clusterId), {
    clock,
    random: draw.fork('jitter').next,
  })
  const life = createLife(() => {})
  const pools = new Map<string, Neighbour>()
  for (let n = draw.whole(1, mostNeighbours); n > 0; n--) {
    const pool = `neighbour-${n}`
    pools.set(pool, startNeighbour(world, settings, { pool, shared, life, draw: draw.fork(pool) }))
  }
  return {
    onCreated: (vm) => pools.get(vm.instance.pool)?.onCreated(vm),
    onEnded: (vm) => pools.get(vm.instance.pool)?.agents.delete(vm.instance.id),
    leave() {
      life.kill()
      for (const vm of cloud.instances.values())
        if (pools.has(vm.instance.pool)) endInstance(cloud, vm, 'its pool is gone')
    },
  }
}

interface Neighbour {
  agents: Map<string, AgentState>
  onCreated(vm: CloudInstance): void
}

function startNeighbour(
  world: World,
  settings: PoolSettings,
  { pool, shared, life, draw }: { pool: string; shared: SharedCluster; life: Life; draw: Random },
): Neighbour {
  const { cloud, clock, invariants, userData } = world
  const owner = { clusterId, pool, writerId: `${pool}/1` }
  const policy = { ...settings.policy, minInstances: 0, maxInstances: draw.whole(1, 6) }
  const agents = new Map<string, AgentState>()
  const provider = simulatedProvider(cloud, owner)
  const ids = draw.fork('ids')
  const { source, changed } = jobsOf(pool, agents, { clock, draw: draw.fork('jobs') })
  const silent = () => {}
  const fleet = createPoolFleet(
    {
      pool,
      owner,
      ownWriters: new Set([owner.writerId]),
      provider: life.crashable({
        ...provider,
        terminate(wanted: string[], signal?: AbortSignal) {
          for (const id of wanted)
            if (cloud.instances.get(id)?.instance.pool !== pool)
              invariants.violated(6, `${id} is terminated by pool ${pool}`)
          return provider.terminate(wanted, signal)
        },
      }),
      shared: life.crashable({
        async list(notBefore: number) {
          const all = await shared.list(notBefore)
          return { ...all, ...provider.partOf!(all) }
        },
        find: shared.find,
      }),
      demand: { ...life.crashable(source), onChange: source.onChange },
      clock: life.crashable(clock),
      journal: createDisk(),
      random: draw.fork('jitter').next,
      newId: () => `${pool}-${ids.whole(0, 2 ** 31)}-${ids.whole(0, 2 ** 31)}`,
      launchInputs: () => ({ kind: 'ready', userData, version: 'simulated', probe: false }),
      logger: { debug: silent, info: silent, warn: silent, error: silent },
      metrics: { count: silent, gauge: silent, observe: silent },
    },
    { ...settings, policy },
  )
  void fleet.start()
  return {
    agents,
    onCreated(vm) {
      checkMax(world, pool, policy.maxInstances)
      const { id } = vm.instance
      clock.after(draw.whole(20, 90) * second, () => {
        if (vm.endedAt !== undefined) return
        agents.set(id, newAgent(id, vm.slots))
        changed()
      })
    },
  }
}

function checkMax({ cloud, invariants }: World, pool: string, max: number): void {
  const live = liveOf(cloud, pool)
  if (live > max) invariants.violated(1, `${live} live instances of pool ${pool}, max_instances is ${max}`)
}

function liveOf({ instances }: Cloud, pool: string): number {
  let live = 0
  for (const vm of instances.values()) if (vm.instance.pool === pool && vm.endedAt === undefined) live++
  return live
}

function newAgent(id: string, slots: number): AgentState {
  const ready = { connected: true, enabled: true, draining: false }
  return { id, slots, freeSlots: slots, busy: false, ...ready }
}

/** Jobs arrive in bursts; each takes a whole agent for a while. */
function jobsOf(
  pool: string,
  agents: Map<string, AgentState>,
  { clock, draw }: { clock: World['clock']; draw: Random },
): { source: DemandSource; changed: () => void } {
  const pending: PendingAllocation[] = []
  const listeners = new Set<(pool: string) => void>()
  let jobs = 0

  function changed(): void {
    for (const [id, agent] of agents) {
      if (agent.busy || !agent.enabled || pending.length === 0) continue
      pending.shift()
      agents.set(id, { ...agent, busy: true, freeSlots: 0 })
      clock.after(draw.whole(10, 200) * second, () => rest(id))
    }
    for (const listener of listeners) listener(pool)
  }

  function rest(id: string): void {
    const agent = agents.get(id)
    if (!agent) return
    agents.set(id, { ...agent, busy: false, freeSlots: agent.slots, idleSince: clock.now() })
    changed()
  }

  function arrive(): void {
    for (let n = draw.whole(1, 5); n > 0; n--)
      pending.push({ id: `${pool}-job-${++jobs}`, slots: 1, since: clock.now() })
    changed()
    clock.after(draw.whole(20, 240) * second, arrive)
  }
  clock.after(draw.whole(1, 60) * second, arrive)

  const setDraining = async (id: string, draining: boolean) => {
    const agent = agents.get(id)
    if (agent) agents.set(id, { ...agent, draining, enabled: !draining })
    return agent !== undefined
  }
  return {
    changed,
    source: {
      kind: 'neighbour',
      read: async () => ({ pool, at: clock.now(), pending: [...pending], agents: [...agents.values()] }),
      onChange(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      drain: (id) => setDraining(id, true),
      undrain: (id) => setDraining(id, false),
      close: async () => {},
    },
  }
}
