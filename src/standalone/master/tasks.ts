// The scheduler's own list of work, in Determined's shapes: tasks and allocations (origin: master/internal/api_tasks.go).
import { containerStates } from '../protocol/container.ts'
import { deviceView } from './agent-view.ts'
import { type Allocation, isOver, type Placed } from './allocation.ts'
import { failure, ok, type Route } from './router.ts'
import type { WorkStore } from './store.ts'
import { timestamp } from './time.ts'

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

/** Pending work is known by its empty `resources`. */
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

function allocationView(allocation: Allocation): Record<string, unknown> {
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

/** The whole is as far as the container that is least far. */
function stateOf(allocation: Allocation): string {
  if (allocation.state === 'pending') return 'STATE_QUEUED'
  if (isOver(allocation)) return 'STATE_TERMINATED'
  if (allocation.state === 'ending') return 'STATE_TERMINATING'
  const least = containerStates.find((state) =>
    allocation.containers.some((container) => container.state === state),
  )
  return `STATE_${least || 'UNSPECIFIED'}`
}
