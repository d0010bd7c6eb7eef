// From the JSON of a Determined master to the demand of a pool: every response in full, as the master sends it.
import { describe, expect, it } from 'vitest'
import { agentsSchema, seenAgent, seenTask, tasksSchema } from '../../../../src/demand/determined/api.ts'
import {
  demandOf,
  emptyMemory,
  type JobLimits,
  type Memory,
  placeholderId,
  remember,
  type View,
} from '../../../../src/demand/determined/view.ts'
import type { Demand } from '../../../../src/planner/snapshot.ts'

const at = Date.parse('2026-11-26T12:00:00Z')
const second = 1000

const slot = (id: number, more: object = {}) => ({
  [`/agents/i-1/slots/${id}`]: {
    id: String(id),
    device: { id, brand: 'Tesla T4', uuid: `GPU-${id}`, type: 'TYPE_CUDA' },
    enabled: true,
    draining: false,
    container: null,
    ...more,
  },
})

const agent = (more: object = {}) => ({
  id: 'i-1',
  registeredTime: '2026-11-26T11:00:00.123456789Z',
  slots: { ...slot(0), ...slot(1) },
  containers: {},
  addresses: ['10.0.0.7'],
  enabled: true,
  draining: false,
  version: '0.38.1',
  resourcePools: ['default'],
  slotStats: { typeStats: {}, brandStats: {} },
  ...more,
})

const onAgent = (id: string, ...devices: number[]) => ({
  resourcesId: 'r',
  agentDevices: {
    [id]: { devices: devices.map((each) => ({ id: each, brand: '', uuid: '', type: 'TYPE_CUDA' })) },
  },
  containerId: 'c',
  started: null,
  exited: null,
})

const task = (more: object = {}) => ({
  taskId: 't',
  allocationId: 't.1',
  name: 'Notebook',
  registeredTime: '2026-11-26T11:59:00Z',
  resourcePool: 'default',
  slotsNeeded: 2,
  resources: [],
  schedulerType: 'priority',
  priority: 42,
  proxyPorts: [],
  ...more,
})

interface Told {
  agents?: object[]
  tasks?: { allocationId: string }[]
  limits?: JobLimits
  at?: number
}

function viewOf({ agents = [], tasks = [], limits = new Map(), at: when = at }: Told): View {
  const list = agentsSchema.parse({ agents, pagination: { total: agents.length } }).agents ?? []
  const summaries = tasksSchema.parse({
    allocationIdToSummary: Object.fromEntries(tasks.map((each) => [each.allocationId, each])),
  }).allocationIdToSummary
  return {
    at: when,
    pools: new Map([
      ['default', { name: 'default', type: 'RESOURCE_POOL_TYPE_STATIC', auxPerAgent: 3 }],
      ['other', { name: 'other', type: 'RESOURCE_POOL_TYPE_STATIC' }],
    ]),
    agents: list.map(seenAgent),
    tasks: Object.values(summaries ?? {}).map(seenTask),
    jobs: new Map(),
    mayDrain: true,
    limits,
  }
}

/** The demand after these polls, one after the other. */
function demandAfter(...polls: Told[]): Demand {
  let memory: Memory = emptyMemory
  let demand: Demand | undefined
  for (const poll of polls) {
    const view = viewOf(poll)
    memory = remember(memory, view)
    demand = demandOf('default', view, memory)
  }
  return demand!
}

const only = (...polls: Told[]) => demandAfter(...polls).agents[0]!

describe('a job', () => {
  it('without resources is pending, since it was registered', () => {
    const since = Date.parse('2026-11-26T11:59:00Z')
    expect(demandAfter({ tasks: [task()] }).pending).toEqual([{ id: 't.1', slots: 2, since }])
  })

  it('with resources is not, nor is that of another pool', () => {
    const placed = task({ resources: [onAgent('i-1', 0, 1)] })
    const elsewhere = task({ allocationId: 'u.1', resourcePool: 'other' })
    expect(demandAfter({ tasks: [placed, elsewhere] }).pending).toEqual([])
  })

  it('that had its agent and no longer lists one is ending, or being restored, and not pending', () => {
    expect(
      demandAfter({ tasks: [task({ resources: [onAgent('i-1', 0)] })] }, { tasks: [task()] }).pending,
    ).toEqual([])
  })

  it('that had its agent is not a new job for a restarted master, which does not report it for a while', () => {
    const placed = { tasks: [task({ resources: [onAgent('i-1', 0)] })] }
    const restored = (minutes: number) => ({ tasks: [task()], at: at + minutes * 60 * second })
    expect(demandAfter(placed, {}, restored(4)).pending).toEqual([])
    expect(demandAfter(placed, {}, restored(6)).pending).toHaveLength(1)
  })

  it('of the same task in a new run is pending again', () => {
    const second = task({ allocationId: 't.2' })
    const demand = demandAfter({ tasks: [task({ resources: [onAgent('i-1', 0)] })] }, { tasks: [second] })
    expect(demand.pending.map(({ id }) => id)).toEqual(['t.2'])
  })

  it('without a valid time is pending since it was first observed', () => {
    expect(demandAfter({ tasks: [task({ registeredTime: null })] }).pending[0]!.since).toBe(at)
  })

  it('with null instead of lists is read like one with empty lists', () => {
    expect(demandAfter({ tasks: [task({ resources: null })] }).pending).toHaveLength(1)
    expect(only({ agents: [agent()], tasks: [task({ resources: [{ agentDevices: null }] })] }).busy).toBe(
      false,
    )
  })
})

describe('max_slots', () => {
  const limits: JobLimits = new Map([['7', { maxSlots: 4, runningSlots: 2 }]])
  const trial = { taskId: '7.0b1c', schedulerType: 'fair_share' }

  it('is that of the experiment of a trial', () => {
    expect(demandAfter({ tasks: [task(trial)], limits }).pending[0]).toMatchObject({
      job: '7',
      maxSlots: 4,
      jobRunningSlots: 2,
    })
  })

  it('is omitted if the scheduler does not enforce it', () => {
    const pending = demandAfter({ tasks: [task({ ...trial, schedulerType: 'priority' })], limits }).pending[0]
    expect(pending).not.toHaveProperty('maxSlots')
  })

  it('does not apply to other jobs', () => {
    const pending = demandAfter({ tasks: [task({ ...trial, taskId: '70b1c' })], limits }).pending[0]
    expect(pending).not.toHaveProperty('maxSlots')
  })
})

describe('an agent', () => {
  it('is free and idle without jobs', () => {
    expect(only({ agents: [agent()] })).toEqual({
      id: 'i-1',
      slots: 2,
      freeSlots: 2,
      freeAux: 3,
      busy: false,
      idleSince: Date.parse('2026-11-26T11:00:00.123Z'),
      connected: true,
      enabled: true,
      draining: false,
    })
  })

  it('of another pool is not shown', () => {
    expect(demandAfter({ agents: [agent({ resourcePools: ['other'] })] }).agents).toEqual([])
  })

  it('that is only a placeholder is not shown: it has no capacity', () => {
    expect(demandAfter({ agents: [agent({ id: placeholderId('default', 1) })] }).agents).toEqual([])
  })

  it('is busy with a notebook without slots, which only the list of tasks shows', () => {
    const notebook = task({ slotsNeeded: 0, resources: [onAgent('i-1')] })
    expect(only({ agents: [agent()], tasks: [notebook] })).toMatchObject({
      busy: true,
      freeSlots: 2,
      freeAux: 2,
    })
  })

  it('is busy with a container on a slot, also when no task is shown for it', () => {
    const slots = { ...slot(0, { container: { id: 'c', state: 'STATE_RUNNING' } }), ...slot(1) }
    expect(only({ agents: [agent({ slots })] })).toMatchObject({ busy: true, freeSlots: 1 })
  })

  it('has the slots free that no task uses', () => {
    const work = task({ slotsNeeded: 1, resources: [onAgent('i-1', 1)] })
    expect(only({ agents: [agent()], tasks: [work] })).toMatchObject({ busy: true, freeSlots: 1 })
  })

  it('is busy with a task on several agents', () => {
    const wide = task({ resources: [onAgent('i-0', 0, 1), onAgent('i-1', 0, 1)] })
    expect(only({ agents: [agent()], tasks: [wide] })).toMatchObject({ busy: true, freeSlots: 0 })
  })

  it('has one free slot less for each that somebody disabled', () => {
    const slots = { ...slot(0, { enabled: false }), ...slot(1) }
    expect(only({ agents: [agent({ slots })] })).toMatchObject({ slots: 2, freeSlots: 1 })
  })

  it('that is drained still has its slots: it could be enabled again', () => {
    const off = { enabled: false, draining: true }
    const drained = agent({ ...off, slots: { ...slot(0, off), ...slot(1, off) } })
    expect(only({ agents: [drained] })).toMatchObject({ freeSlots: 2, connected: true, ...off })
  })

  it('that waits to reconnect is neither gone nor idle for longer than before', () => {
    const away = { enabled: false, draining: true }
    const demand = demandAfter({ agents: [agent()] }, { agents: [agent(away)], at: at + 5 * second })
    expect(demand.agents[0]).toMatchObject({
      connected: true,
      ...away,
      idleSince: Date.parse('2026-11-26T11:00:00.123Z'),
    })
  })
})

describe('an agent that is starting', () => {
  const bare = (when = at, slots = {}) => ({ agents: [agent({ slots })], at: when })

  it('is not shown before it has detected its devices', () => {
    expect(demandAfter(bare(), bare(at + 29 * second)).agents).toEqual([])
  })

  it('is shown as soon as it has slots', () => {
    expect(demandAfter(bare(), bare(at + second, slot(0))).agents).toMatchObject([{ slots: 1 }])
  })

  it('is shown without slots after 30 s: it has none', () => {
    expect(demandAfter(bare(), bare(at + 30 * second)).agents).toMatchObject([{ slots: 0, busy: false }])
  })

  it('is shown without slots at once when it has a job', () => {
    const aux = task({ slotsNeeded: 0, resources: [onAgent('i-1')] })
    expect(demandAfter({ ...bare(), tasks: [aux] }).agents).toMatchObject([{ slots: 0, busy: true }])
  })
})

describe('idle time', () => {
  const work = { tasks: [task({ resources: [onAgent('i-1', 0)] })] }

  it('starts when an agent is first observed without its last job', () => {
    const polls = [
      { agents: [agent()], ...work },
      { agents: [agent()], at: at + second },
    ]
    expect(only(...polls).idleSince).toBe(at + second)
    expect(only(...polls, { agents: [agent()], at: at + 2 * second }).idleSince).toBe(at + second)
  })

  it('is none while it is busy', () => {
    expect(only({ agents: [agent()] }, { agents: [agent()], ...work })).not.toHaveProperty('idleSince')
  })

  it("is never in the future, whatever the master's clock", () => {
    expect(only({ agents: [agent({ registeredTime: '2030-01-01T00:00:00Z' })] }).idleSince).toBe(at)
  })

  it('is forgotten with the agent', () => {
    const polls = [
      { agents: [agent()], ...work },
      {},
      { agents: [agent({ registeredTime: null })], at: at + second },
    ]
    expect(only(...polls).idleSince).toBe(at + second)
  })
})
