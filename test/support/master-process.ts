// A master as a process that tests kill: node master-process.ts <state folder> <port> <token>. Prints its port.

import { accessHandler } from '../../src/http/access.ts'
import { listen } from '../../src/http/listen.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { builtInProviders } from '../../src/providers/index.ts'
import { openJobStore } from '../../src/standalone/master/job-store.ts'
import { openStoredLogs } from '../../src/standalone/master/log-store.ts'
import { createMaster } from '../../src/standalone/master/master.ts'
import { silentLogger } from './silent-logger.ts'
import { storeIn } from './state-store.ts'

const [folder = '', port = '0', token = ''] = process.argv.slice(2)
const pool = {
  pool_name: 'default',
  description: '',
  max_aux_containers_per_agent: 2,
  agent_reconnect_wait: 15_000,
  agents: 'any' as const,
}
const surroundings = { clock: systemClock, logger: silentLogger }
const store = storeIn(folder)
const jobStore = await openJobStore({ store, ...surroundings })
const master = createMaster({
  providers: builtInProviders,
  config: {
    cluster_name: 'test',
    resource_pools: [pool],
    resource_manager: {
      require_authentication: false,
      default_aux_resource_pool: 'default',
      default_compute_resource_pool: 'default',
    },
  },
  version: '0.1.0',
  masterId: String(process.pid),
  clusterId: 'c',
  ...surroundings,
  mayJoin: () => 'yes',
  jobStore,
  storedLogs: await openStoredLogs({
    ...surroundings,
    output: store.openOutput({}),
    allocations: jobStore.found.allocations,
    stateLost: jobStore.stateLost,
  }),
})
const listener = await listen({
  address: '127.0.0.1',
  port: Number(port),
  handlers: [accessHandler({ token }), ...master.handlers],
  upgrades: master.upgrades,
  logger: silentLogger,
})
process.stdout.write(`${listener.port}\n`)
