// Every route of the master, in one list.

import { randomUUID } from 'node:crypto'
import type { MasterConfig } from '../../config/index.ts'
import type { Problem } from '../../problems/index.ts'
import type { AnyProvider } from '../../providers/index.ts'
import type { MasterInfo } from '../protocol/messages.ts'
import type { Registry } from './agents.ts'
import type { CommandAgents } from './command-agents.ts'
import type { LogStore } from './log-store.ts'
import { agentOrderRoutes, agentRoutes, agentView } from './rest-agents.ts'
import { commandRoutes } from './rest-commands.ts'
import { jobRoutes, queueStats, taskRoutes } from './rest-jobs.ts'
import { masterInfoRoutes, poolRoutes } from './rest-pools.ts'
import { ok, type Route } from './rest-router.ts'
import { createJobIntake, type JobAdvice, workRoutes } from './rest-work.ts'
import type { WorkStore } from './store.ts'
import type { Waiters } from './task-logs.ts'
import type { WorkQueue } from './work-queue.ts'

export interface MasterRoutesOptions {
  config: Pick<MasterConfig, 'resource_manager' | 'resource_pools'>
  providers: readonly AnyProvider[]
  masterInfo: MasterInfo
  registry: Registry
  queue: WorkQueue
  store: WorkStore
  logs: LogStore
  commands: CommandAgents
  fault: () => Problem | undefined
  advice?: JobAdvice
  /** Woken at each change of an allocation and each line of output. */
  waiters: Waiters
  /** Aborted when the master stops. */
  closed: AbortSignal
}

export function masterRoutes(options: MasterRoutesOptions): Route[] {
  const { config, registry, queue, store, logs, fault } = options
  const pools = config.resource_pools.map((pool) => pool.pool_name)
  const auxPool = config.resource_manager.default_aux_resource_pool
  const computePool = config.resource_manager.default_compute_resource_pool
  const containersOn = (id: string) => [...store.heldOn(id), ...(registry.get(id)?.unknownContainers ?? [])]
  const defaults = {
    newId: randomUUID,
    hasPool: (pool: string) => pools.includes(pool),
    auxPool,
    computePool,
  }
  const intake = createJobIntake({
    ...{ queue, store, commands: options.commands, advice: options.advice },
    fault: () => fault()?.message,
  })
  return [
    ...masterInfoRoutes(options.masterInfo),
    ...agentRoutes({ list: registry.list, get: registry.get, heldOn: containersOn }),
    ...agentOrderRoutes({
      get: registry.get,
      order: registry.order,
      killOn(id, reason) {
        queue.killOn(id, reason)
        for (const container of registry.get(id)?.unknownContainers ?? [])
          registry.send(id, { SignalContainer: { ContainerID: container.id, Signal: 9 } })
      },
      show: (agent) => ok({ agent: agentView(agent, containersOn(agent.id)) }),
    }),
    ...poolRoutes({
      pools: config.resource_pools,
      providers: options.providers,
      auxPool,
      computePool,
      agents: registry.list,
      heldOn: store.heldOn,
      stats: (pool) => queueStats(store, pool),
      clusterName: options.masterInfo.cluster_name,
    }),
    ...taskRoutes(store),
    ...jobRoutes({ store, pools: () => pools, computePool }),
    ...commandRoutes({
      ...{ intake, queue, store, logs, defaults },
      waiters: options.waiters,
      closed: options.closed,
    }),
    ...workRoutes({
      ...{ intake, queue, store, logs, defaults },
      commands: options.commands,
      advice: options.advice,
    }),
  ]
}
