// The search for orphans with the simulated cloud and a scripted master, in virtual time.
import { onTestFinished } from 'vitest'
import type { DemandSource } from '../../src/demand/source.ts'
import { createOrphanWatch, type OrphanDeps } from '../../src/fleet/orphans.ts'
import type { FleetEvent } from '../../src/fleet/run.ts'
import type { AgentState } from '../../src/planner/snapshot.ts'
import { ProvisionError, problem } from '../../src/problems/index.ts'
import type { ClusterProvider } from '../../src/providers/contract.ts'
import { createCloud, noFaults, performLaunch } from '../../src/simulator/cloud.ts'
import { simulatedCluster } from '../../src/simulator/provider.ts'
import { createVirtualClock } from '../../src/simulator/virtual-clock.ts'
import { userDataOf } from '../../src/testing/order.ts'
import { hour, now } from './planner.ts'
import { silentLogger } from './silent-logger.ts'

export const place = { provider: 'simulated', location: { region: 'here' } }

/** Two instances of pool `old` that we launched, one of a foreign pool, one of the configured pool. */
export function startWatch({
  wrap = (cluster) => cluster,
  ...changes
}: Partial<OrphanDeps> & { wrap?: (cluster: ClusterProvider) => ClusterProvider } = {}) {
  const clock = createVirtualClock(now)
  const faults = { ...noFaults, lingersFor: () => hour }
  const cloud = createCloud({ clock, faults, catalogue: { m4: 4 } })
  const launch = (pool: string, writerId: string, count: number) =>
    performLaunch(cloud, {
      owner: { clusterId: 'cluster', pool, writerId },
      userData: userDataOf('first'),
      intent: {
        id: `${pool} ${writerId}`,
        count,
        offerings: [{ instanceType: 'm4', zone: 'a', capacityType: 'on_demand', slots: 4 }],
      },
    }).instances.map(({ id }) => id)
  const own = launch('old', 'us', 2)
  const [foreign] = launch('elsewhere', 'them', 1)
  launch('current', 'us', 1)

  const agents = new Map<string, AgentState>()
  const listeners = new Set<(pool: string) => void>()
  const state = {
    isTrusted: true,
    isMasterUp: true,
    hasPool: true,
    losesAnswers: false,
    /** How old the master's answers are when they are sent, and how long they take to arrive, in milliseconds. */
    answersFrom: 0,
    answersTake: 0,
    drains: [] as string[],
    undrains: [] as string[],
    asked: [] as string[],
  }
  const demand: DemandSource = {
    kind: 'push',
    async read(pool) {
      state.asked.push(pool)
      if (!state.isMasterUp) throw new Error('down')
      if (!state.hasPool) throw new ProvisionError(problem('MASTER_POOL_UNKNOWN', `no pool ${pool}`))
      const at = clock.now() - state.answersFrom
      const answer = { pool, at, pending: [], agents: [...agents.values()].map((agent) => ({ ...agent })) }
      await clock.sleep(state.answersTake)
      return answer
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async drain(id) {
      state.drains.push(id)
      const agent = agents.get(id)
      if (agent) Object.assign(agent, { draining: true, enabled: false })
      await clock.sleep(1)
      if (state.losesAnswers) throw new Error('the answer was lost')
      return agent !== undefined
    },
    async undrain(id) {
      state.undrains.push(id)
      const agent = agents.get(id)
      if (agent) Object.assign(agent, { draining: false, enabled: true })
      return agent !== undefined
    },
    close: async () => {},
  }
  const events: FleetEvent[] = []
  const accounts: string[] = []
  const watch = createOrphanWatch({
    locations: () => [place],
    open: async () => wrap(simulatedCluster(cloud, 'cluster')),
    onAccount: (_, account) => void accounts.push(account),
    isConfigured: (_, pool) => pool === 'current',
    isOwnWriter: (writer) => writer === 'us',
    isFileTrusted: () => state.isTrusted,
    rules: () => ({ terminateAfter: hour, terminateUnknown: false }),
    demand,
    clock,
    logger: silentLogger,
    onEvent: (event) => events.push(event),
    ...changes,
  })
  watch.start()
  onTestFinished(() => void watch.stop())
  return {
    ...{ watch, clock, cloud, agents, state, own, foreign: foreign!, accounts },
    joins(id: string, busy = false) {
      const freeSlots = busy ? 0 : 4
      agents.set(id, { id, slots: 4, freeSlots, busy, connected: true, enabled: true, draining: false })
    },
    /** The master reports that something changed in this pool. */
    changes(pool: string) {
      for (const listener of listeners) listener(pool)
    },
    async pass(ms: number) {
      let over = false
      clock.after(ms, () => {
        over = true
      })
      await clock.run(() => over)
    },
    live: () =>
      [...cloud.instances.values()].filter((vm) => vm.endedAt === undefined).map((vm) => vm.instance.id),
    said: () => events.flatMap((event) => (event.kind === 'problem' ? [event.problem] : [])),
    nextOf: (id: string) => watch.status().orphans.find((orphan) => orphan.id === id)?.next,
  }
}
