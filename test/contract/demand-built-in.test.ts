// The demand contract on a complete built-in master with a real TLS listener: agents join over sockets, people use REST.
import { builtInDemand } from '../../src/demand/built-in.ts'
import { gpu, masterConfig, startMaster, type TestAgent, token } from '../support/master.ts'
import { until } from '../support/server.ts'
import { describeDemandContract } from './demand-contract.ts'
import type { DemandHarness } from './demand-harness.ts'

describeDemandContract('the built-in master', {
  can: ['tells_changes', 'disconnects', 'other_pools', 'knows_whose_drain'],
  async open(): Promise<DemandHarness> {
    const [pool] = masterConfig().resource_pools
    const m = await startMaster({
      config: masterConfig({
        resource_pools: [
          { ...pool!, agent_reconnect_wait: 10_000 },
          { ...pool!, pool_name: 'other' },
        ],
      }),
    })
    const agents = new Map<string, TestAgent>()

    async function post(path: string, body: object = {}) {
      const { status, json } = await m.ask(path, { method: 'POST', token, body })
      if (status >= 300) throw new Error(`${path}: ${status} ${JSON.stringify(json)}`)
      return json
    }

    const stateOf = async (workId: string) => (await m.ask(`/provision/v1/jobs/${workId}`)).json.job.state

    return {
      source: builtInDemand(m.master),
      pool: 'default',
      otherPool: 'other',
      open: async () => builtInDemand(m.master),
      async submit(slots, resourcePool = 'default') {
        return (await post('/provision/v1/jobs', { duration: '1h', slots, resourcePool })).job.id
      },
      async join(id, slots, of = 'default') {
        agents.set(id, await m.join(id, { pool: of, devices: [...Array(slots).keys()].map(gpu) }))
      },
      place: async (workId) => {
        while ((await stateOf(workId)) !== 'running') await new Promise((resolve) => setTimeout(resolve, 5))
      },
      async finish(workId) {
        await post(`/provision/v1/jobs/${workId}/kill`)
      },
      async remove(id) {
        m.master.forget(id, 'its instance is gone')
      },
      async disable(id, how) {
        await post(`/api/v1/agents/${id}/disable`, { drain: how === 'when_done' })
      },
      async enable(id) {
        await post(`/api/v1/agents/${id}/enable`)
      },
      async disconnect(id) {
        agents.get(id)!.connection.terminate()
        await until(() => m.master.agent(id)?.phase === 'away')
      },
      dispose: () => m.stop(),
    }
  },
})
