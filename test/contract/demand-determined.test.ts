// The demand contract on the source for a Determined master, over a fake master with real TLS.
import { createDevelopmentChain } from '../../src/pki/development-ca.ts'
import { openFake } from '../support/fake-determined/opened.ts'
import { disable, enable, finish, giveUp, join, place, submit } from '../support/fake-determined/world.ts'
import { describeDemandContract } from './demand-contract.ts'
import type { DemandHarness } from './demand-harness.ts'

// An agent that lost its connection looks like one that somebody drained, so `disconnects` is not claimed.
describeDemandContract('a Determined master', {
  can: ['tells_changes', 'unreachable', 'other_pools'],
  open: async (): Promise<DemandHarness> => {
    const { chain, leaf } = await createDevelopmentChain({
      names: ['master.test'],
      ips: ['127.0.0.1'],
      days: 30,
      now: Date.now(),
    })
    const opened = await openFake({ tls: { cert: chain, key: leaf.key } })
    const { world, fake } = opened
    world.pools.set('other', { type: 'STATIC' })
    const cert = opened.write('chain.crt', chain)
    return {
      source: opened.open({ cert }),
      pool: 'default',
      otherPool: 'other',
      open: async () => opened.open({ cert }),
      submit: async (slots, pool) => submit(world, { slots, pool }),
      join: async (id, slots, pool) => join(world, id, slots, { pool }),
      async place(workId, agentId) {
        if (!place(world, workId, agentId)) throw new Error(`${agentId} has no room for ${workId}`)
      },
      finish: async (workId) => finish(world, workId),
      disable: async (agentId, how) => disable(world, agentId, how === 'when_done'),
      enable: async (agentId) => enable(world, agentId),
      remove: async (agentId) => giveUp(world, agentId),
      becomeUnreachable: () => fake.stop(),
      dispose: () => opened.dispose(),
    }
  },
})
