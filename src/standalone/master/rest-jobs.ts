// The job queue in Determined's shapes: each of our allocations is a job of its own (origin: master/internal/api_job.go).
import { type Allocation, live } from './allocation.ts'
import { page } from './paging.ts'
import { inOrder } from './queue.ts'
import { failure, ok, type Route } from './router.ts'
import type { WorkStore } from './store.ts'
import { timestamp } from './time.ts'

export interface JobRoutesOptions {
  store: WorkStore
  pools: () => string[]
  computePool: string
}

export function jobRoutes({ store, pools, computePool }: JobRoutesOptions): Route[] {
  const inPool = (pool: string) => inOrder(store.active().filter((allocation) => allocation.pool === pool))
  return [
    {
      method: 'GET',
      path: '/api/v1/job-queues-v2',
      answer: ({ query }) => {
        const pool = query.get('resourcePool') || computePool
        if (!pools().includes(pool)) return failure(404, `resource pool '${pool}' not found`)
        const states = query.getAll('states')
        const queue = inPool(pool).map((allocation, ahead) => jobView(allocation, ahead))
        const wanted = queue.filter((job) => states.length === 0 || states.includes(job.summary.state))
        if (query.get('orderBy') === 'ORDER_BY_DESC') wanted.reverse()
        const cut = page(wanted, query, 100)
        if (!cut.ok) return failure(400, cut.message)
        return ok({ jobs: cut.items.map((full) => ({ full })), pagination: cut.pagination })
      },
    },
    {
      method: 'GET',
      path: '/api/v1/job-queues/stats',
      answer: ({ query }) => {
        const asked = query.getAll('resourcePools')
        const wanted = pools().filter((pool) => asked.length === 0 || asked.includes(pool))
        return ok({
          results: wanted.map((pool) => ({
            resourcePool: pool,
            stats: counts(inPool(pool)),
            aggregates: [],
          })),
        })
      },
    },
  ]
}

function counts(queue: Allocation[]): Record<string, number> {
  const queuedCount = queue.filter((allocation) => allocation.state === 'pending').length
  return { queuedCount, scheduledCount: queue.length - queuedCount }
}

function jobView(allocation: Allocation, ahead: number) {
  const queued = allocation.state === 'pending'
  return {
    summary: { state: queued ? 'STATE_QUEUED' : 'STATE_SCHEDULED', jobsAhead: queued ? ahead : 0 },
    type: 'TYPE_COMMAND',
    submissionTime: timestamp(allocation.submittedAt),
    username: '',
    userId: 0,
    resourcePool: allocation.pool,
    isPreemptible: false,
    priority: allocation.priority,
    weight: 1,
    entityId: allocation.task,
    jobId: allocation.task,
    requestedSlots: allocation.slots,
    allocatedSlots: live(allocation).reduce((sum, container) => sum + container.devices.length, 0),
    name: allocation.name,
    progress: 0,
    workspaceId: 0,
    projectId: 0,
  }
}
