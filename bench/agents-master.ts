// A built-in master in its own process, for bench/agents.ts: prints its address, and its memory use on request.

import { listen } from '../src/http/listen.ts'
import { createDevelopmentChain } from '../src/pki/development-ca.ts'
import { systemClock } from '../src/platform/clock.ts'
import type { Logger } from '../src/platform/ports.ts'
import { builtInProviders } from '../src/providers/index.ts'
import { createMaster } from '../src/standalone/master/master.ts'

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }
const chain = await createDevelopmentChain({ names: ['master.bench'], ips: [], days: 1, now: Date.now() })
const master = createMaster({
  providers: builtInProviders,
  config: {
    cluster_name: 'bench',
    resource_manager: {
      require_authentication: false,
      default_aux_resource_pool: 'default',
      default_compute_resource_pool: 'default',
    },
    resource_pools: [
      {
        pool_name: 'default',
        description: '',
        max_aux_containers_per_agent: 100,
        agent_reconnect_wait: 25_000,
        agents: 'any',
      },
    ],
  },
  version: 'bench',
  masterId: 'bench',
  clusterId: 'bench',
  clock: systemClock,
  logger: silent,
  mayJoin: () => 'yes',
})
const listener = await listen({
  address: '127.0.0.1',
  port: 0,
  tls: { cert: chain.chain, key: chain.leaf.key },
  handlers: master.handlers,
  upgrades: master.upgrades,
  logger: silent,
})

process.on('message', () => {
  globalThis.gc?.()
  const joined = master.agents().filter((agent) => agent.phase === 'joined').length
  process.send?.({ joined, rss: process.memoryUsage().rss })
})
process.send?.({ port: listener.port, ca: chain.root.certificate })
