// Answers of the fake master in the format of Determined's JSON gateway: with defaults, and times in RFC 3339 with nanoseconds.
import { auxOn, type FakeAgent, type FakeUser, type FakeWork, type FakeWorld } from './world.ts'

const stamp = (ms: number) => new Date(ms).toISOString().replace('Z', '000000Z')

export function agentView(world: FakeWorld, agent: FakeAgent, excludeContainers = false) {
  const { id, devices = [], enabled, draining, pool, registeredAt } = agent
  const holders = new Map<number, FakeWork>()
  for (const work of world.work.values())
    for (const device of work.on.get(id) ?? []) holders.set(device, work)
  const slots = devices.map((device) => {
    const work = holders.get(device)
    return [
      `/agents/${id}/slots/${device}`,
      {
        id: String(device),
        device: { id: device, brand: 'Artificial', uuid: `uuid-${device}`, type: 'TYPE_CPU' },
        enabled,
        draining,
        container: work ? containerView(work) : null,
      },
    ]
  })
  return {
    id,
    registeredTime: stamp(registeredAt),
    slots: Object.fromEntries(slots),
    // Built from slots: auxiliary containers are in no list of an agent.
    containers: excludeContainers
      ? {}
      : Object.fromEntries(
          [...holders.values()].map((work) => [`container-${work.id}`, containerView(work)]),
        ),
    addresses: ['127.0.0.1'],
    enabled,
    draining,
    version: world.version,
    resourcePools: [pool],
    slotStats: { typeStats: {}, brandStats: {} },
  }
}

function containerView(work: FakeWork) {
  return {
    parent: '',
    id: `container-${work.id}`,
    state: 'STATE_RUNNING',
    devices: [],
    permissionDenied: false,
  }
}

export function taskView(world: FakeWorld, work: FakeWork) {
  return {
    taskId: work.task,
    allocationId: work.id,
    name: work.name,
    registeredTime: stamp(work.registeredAt),
    resourcePool: work.pool,
    slotsNeeded: work.slots,
    resources: [...work.on].map(([agent, devices]) => ({
      resourcesId: `resources-${work.id}-${agent}`,
      resourcesType: 'docker-container',
      allocationId: work.id,
      agentDevices: {
        [agent]: {
          devices: devices.map((id) => ({ id, brand: 'Artificial', uuid: `uuid-${id}`, type: 'TYPE_CPU' })),
        },
      },
      containerId: `container-${work.id}`,
      started: null,
      exited: null,
    })),
    schedulerType: world.scheduler,
    priority: 42,
    proxyPorts: [],
  }
}

/** One job for all allocations of an experiment; other allocations are separate jobs. */
export function jobViews(world: FakeWorld, pool: string, viewer: FakeUser) {
  const jobs = new Map<string, FakeWork[]>()
  for (const work of world.work.values())
    if (work.pool === pool && !work.isSystem) jobs.set(work.job, [...(jobs.get(work.job) ?? []), work])
  return [...jobs].map(([jobId, allocations], jobsAhead) => {
    const placed = allocations.filter(({ on }) => on.size > 0)
    const sum = (list: FakeWork[]) => list.reduce((slots, work) => slots + work.slots, 0)
    const { experiment, task } = allocations[0]!
    const limited = {
      summary: { state: placed.length > 0 ? 'STATE_SCHEDULED' : 'STATE_QUEUED', jobsAhead },
      type: experiment === undefined ? 'TYPE_COMMAND' : 'TYPE_EXPERIMENT',
      resourcePool: pool,
      isPreemptible: false,
      priority: 42,
      weight: 1,
      jobId,
      requestedSlots: sum(allocations),
      allocatedSlots: sum(placed),
      progress: 0,
      workspaceId: 1,
    }
    if (!viewer.admin && allocations.some(({ hidden }) => hidden)) return { limited }
    return {
      full: {
        ...limited,
        submissionTime: stamp(allocations[0]!.registeredAt),
        username: 'determined',
        userId: 2,
        entityId: experiment === undefined ? task : String(experiment),
        name: 'job',
        projectId: 1,
      },
    }
  })
}

export function poolView(world: FakeWorld, name: string) {
  const members = [...world.agents.values()].filter(({ pool, devices }) => pool === name && devices)
  const isStatic = world.pools.get(name)!.type === 'STATIC'
  const slots = (agents: FakeAgent[]) => agents.reduce((sum, agent) => sum + (agent.devices?.length ?? 0), 0)
  return {
    name,
    description: '',
    type: `RESOURCE_POOL_TYPE_${world.pools.get(name)!.type}`,
    numAgents: members.length,
    slotsAvailable: slots(members.filter(({ enabled }) => enabled)),
    slotsUsed: 0,
    slotType: 'TYPE_CPU',
    auxContainerCapacity: world.maxAux * members.length,
    auxContainersRunning: members.reduce((sum, { id }) => sum + auxOn(world, id), 0),
    auxContainerCapacityPerAgent: world.maxAux,
    defaultComputePool: name === 'default',
    defaultAuxPool: name === 'default',
    minAgents: 0,
    maxAgents: isStatic ? 0 : 5,
    slotsPerAgent: isStatic ? -1 : 4,
    schedulerType: 'SCHEDULER_TYPE_PRIORITY',
    schedulerFittingPolicy: 'FITTING_POLICY_BEST',
  }
}

export function masterView({ version, clusterId, rbacEnabled }: FakeWorld) {
  return {
    version,
    masterId: 'fake-master',
    clusterId,
    clusterName: 'fake',
    telemetryEnabled: false,
    externalLoginUri: '',
    branding: 'determined',
    rbacEnabled,
    product: 'PRODUCT_UNSPECIFIED',
    ssoProviders: [],
  }
}
