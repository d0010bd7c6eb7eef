// The job queue in Determined's format: each allocation is a separate job (Determined: master/internal/api_job.go).

import { isOver } from '../../http/index.ts'
import { containerStates } from '../protocol/container.ts'
import { type Allocation, live, type Placed } from './allocation.ts'
import { inOrder } from './queue.ts'
import { deviceView } from './rest-agents.ts'
import { failure, ok, page, type Route, timestamp } from './rest-router.ts'
import type { WorkStore } from './store.ts'

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
        const named = query.getAll('resourcePools')
        const wanted = pools().filter((pool) => named.length === 0 || named.includes(pool))
        return ok({
          results: wanted.map((pool) => ({
            resourcePool: pool,
            stats: queueStats(store, pool),
            aggregates: [],
          })),
        })
      },
    },
  ]
}

export type QueueStats = Record<'queuedCount' | 'scheduledCount', number>

export function queueStats(store: WorkStore, pool: string): QueueStats {
  const queue = store.active().filter((allocation) => allocation.pool === pool)
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

// The scheduler's allocations in Determined's format: tasks and allocations (Determined: master/internal/api_tasks.go).

export function taskRoutes(store: WorkStore): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/tasks',
      answer: () => {
        const summaries = store.active().map((allocation) => [allocation.id, summaryView(allocation)])
        return ok({ allocationIdToSummary: Object.fromEntries(summaries) })
      },
    },
    {
      method: 'GET',
      path: '/api/v1/allocations/:id',
      answer: ({ params: { id = '' } }) => {
        const allocation = store.get(id)
        if (!allocation) return failure(404, `allocation '${id}' not found`)
        return ok({ allocation: allocationView(allocation) })
      },
    },
  ]
}

/** A pending allocation has empty `resources`. */
function summaryView(allocation: Allocation): Record<string, unknown> {
  return {
    taskId: allocation.task,
    allocationId: allocation.id,
    name: allocation.name,
    registeredTime: timestamp(allocation.submittedAt),
    resourcePool: allocation.pool,
    slotsNeeded: allocation.slots,
    resources: allocation.containers.map((container) => resourcesView(allocation.id, container)),
    schedulerType: 'priority',
    priority: allocation.priority,
    proxyPorts: [],
  }
}

function resourcesView(allocationId: string, container: Placed): Record<string, unknown> {
  const { failure: why, state } = container
  return {
    resourcesId: container.id,
    resourcesType: 'docker-container',
    allocationId,
    agentDevices: { [container.agentId]: { devices: container.devices.map(deviceView) } },
    containerId: container.id,
    started: state === 'RUNNING' || state === 'TERMINATED' ? { addresses: [] } : null,
    exited:
      state !== 'TERMINATED' ? null : { failureType: why?.FailureType ?? '', errMsg: why?.ErrMsg ?? '' },
  }
}

export function allocationView(allocation: Allocation): Record<string, unknown> {
  return {
    taskId: allocation.task,
    allocationId: allocation.id,
    state: stateOf(allocation),
    isReady: stateOf(allocation) === 'STATE_RUNNING',
    startTime: timestamp(allocation.startedAt),
    endTime: timestamp(allocation.endedAt),
    slots: allocation.slots,
    exitReason: allocation.reason ?? '',
  }
}

/** The state of the allocation is that of its slowest container, by the names that Determined has for tasks. */
export function stateOf(allocation: Allocation): string {
  if (allocation.state === 'pending') return 'STATE_QUEUED'
  if (isOver(allocation)) return 'STATE_TERMINATED'
  if (allocation.state === 'ending') return 'STATE_TERMINATING'
  const least = containerStates.find((state) =>
    allocation.containers.some((container) => container.state === state),
  )
  return `STATE_${least === 'ASSIGNED' ? 'STARTING' : least || 'UNSPECIFIED'}`
}
