// The demand contract on pushed demand: in process, and over HTTP to a real socket.
import { expect } from 'vitest'
import { createPushDemand } from '../../src/demand/push.ts'
import { listen } from '../../src/http/listen.ts'
import { openPushEndpoint } from '../../src/http/push-endpoint.ts'
import { pushingMaster } from '../support/pushing-master.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { describeDemandContract } from './demand-contract.ts'
import type { DemandHarness, DemandSubject } from './demand-harness.ts'

const can: DemandSubject['can'] = [
  'tells_changes',
  'unreachable',
  'disconnects',
  'other_pools',
  'knows_whose_drain',
]
const pools = ['default', 'other']

describeDemandContract('demand pushed in process', {
  can,
  async open(): Promise<DemandHarness> {
    const master = pushingMaster(pools)
    const open = async () => {
      const source = createPushDemand({ ...master.orders, clock: master.clock })
      await master.pushTo(async (pool, demand) => source.push(pool, demand))
      return source
    }
    return { ...master.harness, source: await open(), open, dispose: async () => {} }
  },
})

describeDemandContract('demand pushed over HTTP', {
  can,
  async open(): Promise<DemandHarness> {
    const master = pushingMaster(pools)
    const closing: (() => Promise<void>)[] = []
    let life = 0
    async function open() {
      const endpoint = openPushEndpoint({
        pools,
        life: `life${++life}`,
        clock: master.clock,
        logger: silentLogger,
      })
      const listener = await listen({
        address: '127.0.0.1',
        port: 0,
        handlers: [endpoint.handler],
        logger: silentLogger,
      })
      closing.push(() => listener.close(0))
      let drainVersion: string | undefined
      const put = async (pool: string, demand: object) => {
        const answer = await fetch(`http://127.0.0.1:${listener.port}/v1/pools/${pool}/demand`, {
          method: 'PUT',
          body: JSON.stringify({ ...demand, drainVersion }),
        })
        expect(answer.status).toBe(200)
        const orders = (await answer.json()) as { drain: string[]; drainVersion: string }
        master.applyDrains(pool, orders.drain)
        drainVersion = orders.drainVersion
      }
      await master.pushTo(put)
      return endpoint.source
    }
    const source = await open()
    // It learns of drains from the responses, so it pushes from time to time, as every master must.
    const beat = setInterval(() => void master.pushAll().catch(() => {}), 20)
    return {
      ...master.harness,
      source,
      open,
      async dispose() {
        clearInterval(beat)
        await master.settled()
        for (const close of closing) await close()
      },
    }
  },
})
