// The REST API for jobs, in the shapes that Determined's clients expect.
import { afterEach, describe, expect, it } from 'vitest'
import { gpu, startMaster, type TestMaster, token } from '../../support/master.ts'
import { becomes, type Json, post, submit } from '../../support/work.ts'

let running: TestMaster[] = []
afterEach(async () => {
  await Promise.all(running.map((m) => m.stop()))
  running = []
})

async function start(...args: Parameters<typeof startMaster>): Promise<TestMaster> {
  const started = await startMaster(...args)
  running.push(started)
  return started
}

describe('the responses', () => {
  it('about agents, pools, tasks and jobs have Determined’s shapes', async () => {
    const m = await start()
    await m.join('a', { devices: [gpu(0), gpu(1), gpu(2), gpu(3)] })
    const id = await submit(m, { duration: '1h', slots: 3, name: 'big' })
    await becomes(m, id, 'running')
    const aux = await submit(m, { duration: '1h', slots: 0, name: 'aux' })
    await becomes(m, aux, 'running')
    const waiting = await submit(m, { duration: '1h', slots: 2, name: 'waits', priority: 50 })

    const { slots, containers } = (await m.ask('/api/v1/agents/a')).json.agent
    expect(Object.values(slots as Json).filter((slot) => (slot as Json)['container'])).toHaveLength(3)
    expect(Object.keys(containers)).toHaveLength(1)

    const [pool] = (await m.ask('/api/v1/resource-pools')).json.resourcePools
    expect(pool).toMatchObject({
      name: 'default',
      type: 'RESOURCE_POOL_TYPE_STATIC',
      numAgents: 1,
      slotsAvailable: 4,
      slotsUsed: 3,
      slotType: 'TYPE_CUDA',
      slotsPerAgent: -1,
      auxContainersRunning: 1,
      auxContainerCapacity: 100,
      defaultComputePool: true,
    })

    const { allocationIdToSummary } = (await m.ask('/api/v1/tasks')).json
    expect(allocationIdToSummary[waiting]).toMatchObject({ resources: [], slotsNeeded: 2, priority: 50 })
    expect(allocationIdToSummary[id].resources[0].agentDevices).toEqual({
      a: { devices: [0, 1, 2].map((n) => ({ ...gpu(n), type: 'TYPE_CUDA' })) },
    })
    expect(Object.keys(allocationIdToSummary[aux].resources[0].agentDevices)).toEqual(['a'])

    const { jobs, pagination } = (await m.ask('/api/v1/job-queues-v2')).json
    expect(pagination).toMatchObject({ total: 3, limit: 100 })
    expect(
      jobs.map(({ full }: { full: Json }) => [full['name'], full['requestedSlots'], full['allocatedSlots']]),
    ).toEqual([
      ['big', 3, 3],
      ['aux', 0, 0],
      ['waits', 2, 0],
    ])
    expect(jobs[2].full.summary).toEqual({ state: 'STATE_QUEUED', jobsAhead: 2 })
    const queued = await m.ask('/api/v1/job-queues-v2?states=STATE_QUEUED&resourcePool=default')
    expect(queued.json.jobs).toHaveLength(1)
    expect((await m.ask('/api/v1/job-queues-v2?resourcePool=none')).status).toBe(404)
    expect((await m.ask('/api/v1/job-queues/stats')).json.results).toEqual([
      { resourcePool: 'default', stats: { queuedCount: 1, scheduledCount: 2 }, aggregates: [] },
    ])
    expect((await m.ask(`/api/v1/allocations/${id}`)).json.allocation).toMatchObject({
      state: 'STATE_RUNNING',
    })
  })
})

describe('submitting', () => {
  it.each([
    [{}, 'set either duration or command'],
    [{ duration: '1s', command: ['x'] }, 'set either duration or command'],
    [{ duration: 5 }, 'duration must be a string'],
    [{ duration: '-1s' }, 'duration must be a string'],
    [{ command: [] }, 'command must be a list'],
    [{ command: 'ls' }, 'command must be a list'],
    [{ command: ['a\0b'] }, 'without NUL'],
    [{ command: ['x'], env: { 'A=B': '1' } }, '`A=B` must be a variable'],
    [{ duration: '1s', slots: -1 }, 'slots must be'],
    [{ duration: '1s', slots: 1.5 }, 'slots must be'],
    [{ duration: '1s', priority: 0 }, 'priority must be an integer from 1 to 99'],
    [{ duration: '1s', resourcePool: 'gpu' }, 'unknown resource pool "gpu"'],
    [{ duration: '1s', id: 'a/b' }, 'id must be'],
    [{ duration: '1s', slot: 1 }, '`slot` is not one of'],
  ])('%j is refused: %s', async (body, message) => {
    const m = running[0] ?? (await start())
    const { status, json } = await post(m, '/provision/v1/jobs', body)
    expect([status, json.error.error]).toEqual([400, expect.stringContaining(message)])
  })

  it('twice with one id creates one job, if both are the same', async () => {
    const m = await start()
    const body = { id: 'once', duration: '1h', slots: 1 }
    await submit(m, body)
    expect(await post(m, '/provision/v1/jobs', body)).toMatchObject({
      status: 200,
      json: { job: { id: 'once.1' } },
    })
    expect((await post(m, '/provision/v1/jobs', { ...body, slots: 2 })).status).toBe(409)
    expect((await m.ask('/provision/v1/jobs')).json.jobs).toHaveLength(1)
  })

  it.each([
    ['GET', ''],
    ['GET', '/once'],
    ['GET', '/once/logs?after=0'],
    ['POST', '/once/kill'],
  ])('%s jobs%s is answered in the same way at its former path', async (method, path) => {
    const m = await start()
    const body = { id: 'once', duration: '1h', slots: 1 }
    expect(await post(m, '/provision/v1/work', body)).toMatchObject({
      status: 201,
      json: { job: { task: 'once' } },
    })
    const ask = (name: string) => m.ask(`/provision/v1/${name}${path}`, { method, token })
    const former = await ask('work')
    expect(former.status).toBe(200)
    const answer = await ask('jobs')
    const times = (value: unknown) => JSON.stringify(value).replace(/"endedAt":"[^"]*"/, '')
    expect(times(answer)).toBe(times(former))
  })

  it('needs the token', async () => {
    const m = await start()
    const body = { duration: '1s' }
    expect((await m.ask('/provision/v1/jobs', { method: 'POST', body })).status).toBe(401)
  })
})
