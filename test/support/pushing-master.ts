// A master that is only a list and pushes all of it after each change: the minimum for such a master.
import type { PushedDemand } from '../../src/demand/push.ts'
import type { DemandHarness } from '../contract/demand-harness.ts'
import { FakeClock } from './fake-clock.ts'

interface Work {
  pool: string
  slots: number
  since: number
  agentId?: string
}

interface Agent {
  pool: string
  slots: number
  connected: boolean
  /** The provisioner's drain. */
  draining: boolean
  /** An operator's order. */
  disabled?: 'at_once' | 'when_done'
  idleSince: number
}

type Push = (pool: string, demand: PushedDemand) => Promise<void>

export function pushingMaster(pools: readonly string[]) {
  const clock = new FakeClock(1_000_000)
  const work = new Map<string, Work>()
  const agents = new Map<string, Agent>()
  const targets: Push[] = []
  let reachable = true
  let last = Promise.resolve()

  function demandOf(pool: string): PushedDemand {
    const held = (id: string) => [...work.values()].filter((each) => each.agentId === id)
    return {
      pending: [...work]
        .filter(([, each]) => each.pool === pool && !each.agentId)
        .map(([id, { slots, since }]) => ({ id, slots, since })),
      agents: [...agents]
        .filter(([, agent]) => agent.pool === pool)
        .map(([id, { slots, connected, draining, disabled, idleSince }]) => {
          const busy = held(id).length > 0
          const freeSlots = slots - held(id).reduce((sum, each) => sum + each.slots, 0)
          return {
            ...{ id, slots, freeSlots, busy, connected, draining },
            ...(!busy && { idleSince }),
            ...(disabled && { enabled: false, disabledByPerson: true }),
          }
        }),
    }
  }

  /** One push at a time, so that they stay in order. */
  function pushAll(): Promise<void> {
    const next = last.then(async () => {
      if (!reachable) return
      for (const target of targets) for (const pool of pools) await target(pool, demandOf(pool))
    })
    last = next.catch(() => {})
    return next
  }

  async function change(action: () => void): Promise<void> {
    await clock.advance(1)
    action()
    await pushAll()
  }

  const order = (draining: boolean) => async (id: string) => {
    const agent = agents.get(id)
    if (agent) await change(() => Object.assign(agent, { draining }))
    return agent !== undefined
  }

  const harness: Omit<DemandHarness, 'source' | 'open' | 'dispose'> = {
    pool: pools[0]!,
    otherPool: pools[1]!,
    async submit(slots, pool = pools[0]!) {
      const id = `work-${work.size + 1}`
      await change(() => work.set(id, { pool, slots, since: clock.now() }))
      return id
    },
    join: (id, slots, pool = pools[0]!) =>
      change(() => agents.set(id, { pool, slots, connected: true, draining: false, idleSince: clock.now() })),
    place: (workId, agentId) => change(() => Object.assign(work.get(workId)!, { agentId })),
    finish: (workId) =>
      change(() => {
        const agent = agents.get(work.get(workId)!.agentId ?? '')
        if (agent) agent.idleSince = clock.now()
        work.delete(workId)
      }),
    disable: (id, disabled) => change(() => Object.assign(agents.get(id)!, { disabled })),
    enable: (id) => change(() => Object.assign(agents.get(id)!, { disabled: undefined, draining: false })),
    remove: (id) => change(() => agents.delete(id)),
    disconnect: (id) => change(() => Object.assign(agents.get(id)!, { connected: false })),
    async becomeUnreachable() {
      reachable = false
      await clock.advance(16_000)
    },
  }

  return {
    clock,
    harness,
    orders: { drain: order(true), undrain: order(false) },
    /** Makes exactly these agents of the pool drained. */
    applyDrains(pool: string, ids: readonly string[]) {
      for (const [id, agent] of agents) if (agent.pool === pool) agent.draining = ids.includes(id)
    },
    async pushTo(target: Push) {
      targets.push(target)
      await pushAll()
    },
    pushAll,
    settled: () => last,
  }
}
