// The built-in master, put together: agents join it, and its REST API tells about them.
import type { MasterConfig } from '../model/master-config.ts'
import type { Clock, Handler, Logger, UpgradeHandler } from '../model/ports.ts'
import type { Agent } from './agents/agent.ts'
import { agentSocket } from './agents/agent-socket.ts'
import type { AgentEvent, RefusedJoin } from './agents/events.ts'
import { createRegistry } from './agents/registry.ts'
import { createListeners } from './listeners.ts'
import { agentRoutes } from './rest/agents.ts'
import { masterInfoRoutes } from './rest/master-info.ts'
import { routesHandler } from './rest/router.ts'

export interface MasterOptions {
  config: Pick<MasterConfig, 'cluster_name' | 'resource_manager' | 'resource_pools'>
  version: string
  /** Of this start. */
  masterId: string
  clusterId: string
  clock: Clock
  logger: Logger
  /**
   * Asked for pools with a provider: is `id` one of its instances? Until the provider's first listing is complete the
   * answer should be true, or agents that outlived a restart of the master are sent away.
   */
  mayJoin: (pool: string, id: string) => boolean
}

export interface Master {
  handlers: Handler[]
  upgrades: UpgradeHandler[]
  /** By id; those that are away included. */
  agents(): Agent[]
  onAgent(listener: (event: AgentEvent) => void): () => void
  onRefused(listener: (refused: RefusedJoin) => void): () => void
  /** The instance is gone: its agent is not waited for. */
  forget(agentId: string, reason: string): void
  /** Says goodbye to the agents; the listener is closed by whoever opened it. */
  close(): Promise<void>
}

export function createMaster(options: MasterOptions): Master {
  const { config, clock, logger } = options
  const pools = new Map(config.resource_pools.map((pool) => [pool.pool_name, pool]))
  const masterInfo = {
    version: options.version,
    master_id: options.masterId,
    cluster_id: options.clusterId,
    cluster_name: config.cluster_name,
    telemetry: { enabled: false, otel_enabled: false, otel_endpoint: '' },
  }
  const refused = createListeners<RefusedJoin>(logger)
  const registry = createRegistry({
    clock,
    logger,
    masterInfo,
    hasPool: (pool) => pools.has(pool),
    mayJoin: (pool, id) => pools.get(pool)?.provider === undefined || options.mayJoin(pool, id),
    reconnectWait: (pool) => pools.get(pool)?.agent_reconnect_wait ?? 25_000,
  })
  const door = agentSocket({
    registry,
    clock,
    requireAuthentication: config.resource_manager.require_authentication,
    onRefused(event) {
      logger.warn('an agent was refused', { ...event })
      refused.tell(event)
    },
  })
  const routes = [
    ...masterInfoRoutes(masterInfo),
    ...agentRoutes({ list: registry.list, get: registry.get, containersOn: () => [] }),
  ]
  return {
    handlers: [door.handler, routesHandler(routes)],
    upgrades: [door.upgrade],
    agents: registry.list,
    onAgent: registry.onEvent,
    onRefused: refused.add,
    forget: registry.remove,
    close: registry.close,
  }
}
