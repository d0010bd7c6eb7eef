// Demand that a master pushes over HTTP to the listener of ours.
import { randomUUID } from 'node:crypto'
import { openPushDoor } from '../http/push-endpoint.ts'
import type { DemandContext, OpenedDemand } from './demand.ts'
import { isProvided } from './prepare.ts'

export async function openPushDemand({ config, clock, logger }: DemandContext): Promise<OpenedDemand> {
  const pools = config.resource_pools.filter(isProvided).map((pool) => pool.pool_name)
  const { source, handler } = openPushDoor({ pools, life: randomUUID().slice(0, 8), clock, logger })
  return { source, handlers: [handler], close: source.close }
}
