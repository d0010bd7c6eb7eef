// The demand contract on the simplest possible source, which shows that the contract can be met.
import { memoryMaster } from '../support/memory-master.ts'
import { describeDemandContract } from './demand-contract.ts'
import type { DemandHarness } from './demand-harness.ts'

describeDemandContract('a master in memory', {
  can: ['tells_changes', 'unreachable', 'disconnects', 'other_pools', 'knows_whose_drain'],
  open: async (): Promise<DemandHarness> => {
    const master = memoryMaster()
    const pool = 'default'

    function change(of: string, action: () => void): Promise<void> {
      action()
      master.changed(of)
      return Promise.resolve()
    }

    return {
      source: master.open(),
      pool,
      otherPool: 'other',
      open: async () => master.open(),
      async submit(slots, of = pool) {
        const id = `work-${master.work.size + 1}`
        await change(of, () => master.work.set(id, { id, pool: of, slots, since: master.now }))
        return id
      },
      join: (id, slots, of = pool) =>
        change(of, () =>
          master.agents.set(id, {
            id,
            pool: of,
            slots,
            connected: true,
            draining: false,
            idleSince: master.now,
          }),
        ),
      place: (workId, agentId) =>
        change(pool, () => {
          master.work.get(workId)!.agentId = agentId
        }),
      finish: (workId) =>
        change(pool, () => {
          const agent = master.agents.get(master.work.get(workId)!.agentId ?? '')
          if (agent) agent.idleSince = master.now
          master.work.delete(workId)
        }),
      disable: (id, disabled) =>
        change(pool, () => {
          master.agents.get(id)!.disabled = disabled
        }),
      enable: (id) =>
        change(pool, () => {
          Object.assign(master.agents.get(id)!, { disabled: undefined, draining: false })
        }),
      remove: (id) => change(pool, () => master.agents.delete(id)),
      disconnect: (id) =>
        change(pool, () => {
          master.agents.get(id)!.connected = false
        }),
      becomeUnreachable: () =>
        change(pool, () => {
          master.reachable = false
        }),
      dispose: async () => {},
    }
  },
})
