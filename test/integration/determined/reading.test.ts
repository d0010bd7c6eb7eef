// Reading a Determined master over real sockets: pages, errors, refusals, limits, and undoing drains.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PoolConfig } from '../../../src/config/index.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'
import { otherAgents } from '../../../src/provisioner/fleet-rows.ts'
import { type Opened, openFake } from '../../support/fake-determined/opened.ts'
import { finish, giveUp, join, lose, place, submit } from '../../support/fake-determined/world.ts'
import { FastClock } from '../../support/fast-clock.ts'

let opened: Opened
beforeEach(async () => {
  opened = await openFake()
})
afterEach(() => opened.dispose())

const errorOf = (failing: Promise<unknown>): Promise<ProvisionError> =>
  failing.then(
    () => {
      throw new Error('it did not fail')
    },
    (error: ProvisionError) => error,
  )

const number = (n: number) => `i-${String(n).padStart(5, '0')}`

describe('pages', () => {
  it('are read to the end', async () => {
    for (let n = 0; n < 1_201; n++) join(opened.world, number(n), 1)
    for (let n = 0; n < 501; n++) submit(opened.world, { slots: 1 })
    const { agents, pending } = await opened.open().read('default')
    expect([new Set(agents.map(({ id }) => id)).size, pending.length]).toEqual([1_201, 501])
    expect(opened.fake.count('GET /api/v1/agents')).toBe(5)
    expect(opened.fake.count('/job-queues-v2')).toBe(3)
  })

  it('are restarted when an agent leaves between two of them: no agent may be missed', async () => {
    for (let n = 0; n < 1_100; n++) join(opened.world, number(n), 1)
    let pages = 0
    opened.fake.onAnswer = ({ path }) => {
      if (path === '/api/v1/agents' && ++pages === 1) giveUp(opened.world, number(3))
    }
    const { agents } = await opened.open().read('default')
    expect(agents.map(({ id }) => id)).toContain(number(500))
    expect(agents).toHaveLength(1_099)
  })

  it('that never stay the same are an error', async () => {
    for (let n = 0; n < 600; n++) join(opened.world, number(n), 1)
    let next = 1_000
    opened.fake.onAnswer = ({ path }) => {
      if (path === '/api/v1/agents') join(opened.world, number(next++), 1)
    }
    expect(await errorOf(opened.open().read('default'))).toMatchObject({ code: 'DETERMINED_FAULT' })
  })
})

describe('a master that does not respond as it should', () => {
  it.each([
    ['nothing', 'hang', 'DETERMINED_UNREACHABLE'],
    ['cuts the connection', 'cut', 'DETERMINED_UNREACHABLE'],
    ['something else than JSON', 'garbage', 'DETERMINED_FAULT'],
    ['through a gateway that has lost it', 503, 'DETERMINED_FAULT'],
  ] as const)('%s', async (_, kind, code) => {
    const source = opened.open({ timeoutMs: 300 })
    await source.read('default')
    opened.fake.faults = [{ path: '/api/v1/tasks', kind }]
    expect(await errorOf(source.read('default'))).toMatchObject({ code })
    expect(source.outage()).toMatchObject({ code })
  })

  it('is read again once it has recovered', async () => {
    const clock = new FastClock(100)
    const source = opened.open({ clock })
    opened.fake.faults = [{ kind: 500, times: 1 }]
    expect(await errorOf(source.read('default'))).toMatchObject({ code: 'DETERMINED_FAULT' })
    await clock.sleep(1_500)
    expect(await source.read('default')).toMatchObject({ pending: [] })
    expect(source.outage()).toBeUndefined()
  })

  it('is not polled by every pool again while it is away', async () => {
    const source = opened.open()
    await opened.fake.stop()
    const errors = await Promise.all(['a', 'b', 'c'].map((pool) => errorOf(source.read(pool))))
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['DETERMINED_UNREACHABLE']))
    expect(opened.log.lines).toHaveLength(1)
  })

  it('is not requested any more when the caller gives up, and answers the next one', async () => {
    const source = opened.open()
    await source.read('default')
    opened.fake.latency = 150
    const asking = source.read('default', AbortSignal.timeout(30))
    await expect(asking).rejects.toThrow(/timeout/i)
    expect(await source.read('default')).toMatchObject({ pending: [] })
    expect(source.outage()).toBeUndefined()
  })

  it('that closed an idle connection is requested over a new one', async () => {
    const source = opened.open()
    join(opened.world, 'i-1', 4)
    // Several connections: the next one may be closed as well.
    await Promise.all([source.read('default'), ...['a', 'b', 'c'].map((id) => source.drain(id))])
    await opened.fake.stop()
    await opened.fake.start()
    expect(await source.drain('i-1')).toBe(true)
    expect(await source.read('default')).toMatchObject({ pending: [] })
  })
})

describe('a pool is not run', () => {
  it('when the master launches its agents itself', async () => {
    opened.world.pools.set('default', { type: 'AWS' })
    const source = opened.open()
    const error = await errorOf(source.read('default'))
    expect(error.problems[0]).toMatchObject({ code: 'DETERMINED_POOL_PROVIDED', remedy: /Remove `provider`/ })
    expect((await source.check(['default'])).map(({ code }) => code)).toEqual(['DETERMINED_POOL_PROVIDED'])
  })

  it('when the master launches its agents itself, also if it does not report the user', async () => {
    opened.world.pools.set('default', { type: 'AWS' })
    opened.fake.faults = [{ path: '/auth/user', kind: 404 }]
    expect((await opened.open().check(['default'])).map(({ code }) => code)).toEqual([
      'DETERMINED_POOL_PROVIDED',
    ])
  })

  it('when the master has no such pool; the others continue', async () => {
    const source = opened.open()
    expect((await errorOf(source.read('gpu'))).message).toMatch(/MASTER_POOL_UNKNOWN.*it has: default/)
    expect(await source.read('default')).toMatchObject({ pending: [] })
  })

  it('when the master hides its jobs from us: busy agents would look idle', async () => {
    submit(opened.world, { slots: 0, hidden: true })
    opened.world.rbacEnabled = true
    opened.world.users.get('student')!.updatesAgents = true
    opened.world.users.get('provisioner')!.updatesAgents = true
    const demand = { user: 'student', password_file: opened.write('student', 'battery') }
    expect(await errorOf(opened.open({ demand }).read('default'))).toMatchObject({
      code: 'DETERMINED_WORK_HIDDEN',
    })
    expect((await opened.open().read('default')).pending).toHaveLength(1)
  })
})

describe('a change while the lists are read', () => {
  beforeEach(() => join(opened.world, 'i-1', 4))
  const once = (change: () => void) => {
    let isDone = false
    opened.fake.onAnswer = ({ path }) => {
      if (path !== '/api/v1/agents' || isDone) return
      isDone = true
      change()
    }
  }

  it('never shows a job as waiting beside the agent it was given', async () => {
    const work = submit(opened.world, { slots: 4 })
    once(() => place(opened.world, work, 'i-1'))
    const { agents, pending } = await opened.open().read('default')
    expect([pending, agents[0]]).toMatchObject([[], { busy: true, freeSlots: 0 }])
  })

  it('never shows an agent as idle too early', async () => {
    const work = submit(opened.world, { slots: 4 })
    place(opened.world, work, 'i-1')
    once(() => finish(opened.world, work))
    const source = opened.open()
    expect((await source.read('default')).agents).toMatchObject([{ busy: true }])
    expect((await source.read('default')).agents).toMatchObject([{ busy: false, freeSlots: 4 }])
  })
})

describe('several pools', () => {
  it('share one poll of the whole master', async () => {
    opened.world.pools.set('other', { type: 'STATIC' })
    const source = opened.open()
    await Promise.all([source.read('default'), source.read('other')])
    const before = [opened.fake.count('/tasks'), opened.fake.count('/job-queues-v2')]
    await Promise.all([source.read('default'), source.read('other'), source.read('default')])
    const after = [opened.fake.count('/tasks'), opened.fake.count('/job-queues-v2')]
    expect(after.map((count, i) => count - before[i]!)).toEqual([1, 2])
  })
})

describe('a job that is only in the list of tasks', () => {
  it('counts: a checkpoint deletion waits for an agent like a notebook', async () => {
    const gc = submit(opened.world, { slots: 0, isSystem: true })
    const source = opened.open()
    expect((await source.read('default')).pending).toMatchObject([{ id: gc, slots: 0 }])
    join(opened.world, 'i-1', 4)
    place(opened.world, gc, 'i-1')
    expect((await source.read('default')).agents).toMatchObject([{ id: 'i-1', busy: true, freeSlots: 4 }])
  })
})

describe('max_slots', () => {
  beforeEach(() => {
    const experiment = { id: 7, maxSlots: 6 }
    for (const slots of [2, 4, 4]) submit(opened.world, { slots, experiment })
    join(opened.world, 'i-1', 2)
    place(opened.world, [...opened.world.work.keys()][0]!, 'i-1')
  })

  it('is read with what the experiment already has, if the scheduler is fair share', async () => {
    opened.world.scheduler = 'fair_share'
    const limit = { job: '7', maxSlots: 6, jobRunningSlots: 2 }
    const source = opened.open()
    expect((await source.read('default')).pending).toMatchObject([limit, limit])
    await source.read('default')
    expect(opened.fake.count('/experiments/7')).toBe(1)
  })

  it('is not requested otherwise', async () => {
    expect((await opened.open().read('default')).pending[0]).not.toHaveProperty('maxSlots')
    expect(opened.fake.count('/experiments')).toBe(0)
  })
})

describe('drain', () => {
  it('is refused for an agent that has lost its connection, with its own code', async () => {
    join(opened.world, 'i-1', 4)
    lose(opened.world, 'i-1')
    expect(await errorOf(opened.open().drain('i-1'))).toMatchObject({ code: 'DETERMINED_AGENT_AWAY' })
  })

  it('is refused for an agent that has not started', async () => {
    join(opened.world, 'i-1', 4, { started: false })
    expect(await errorOf(opened.open().drain('i-1'))).toMatchObject({ code: 'DETERMINED_AGENT_AWAY' })
  })

  it('does not stop running jobs, like `det agent disable --drain`', async () => {
    join(opened.world, 'i-1', 4)
    const work = submit(opened.world, { slots: 4 })
    place(opened.world, work, 'i-1')
    await opened.open().drain('i-1')
    expect(opened.world.work.has(work)).toBe(true)
  })

  it('that is undone leaves an agent disabled that somebody had disabled before', async () => {
    join(opened.world, 'i-1', 4)
    join(opened.world, 'i-2', 4)
    Object.assign(opened.world.agents.get('i-1')!, { enabled: false, draining: true })
    const source = opened.open()
    await source.read('default')
    for (const id of ['i-1', 'i-2']) await source.drain(id)
    for (const id of ['i-1', 'i-2']) expect(await source.undrain(id)).toBe(true)
    expect([...opened.world.agents.values()].map(({ enabled }) => enabled)).toEqual([false, true])
  })
})

describe('pools of the file without a provider', () => {
  const provider = { type: 'local' } as never
  const config = {
    resource_pools: [
      { pool_name: 'default', provider },
      { pool_name: 'static' },
      { pool_name: 'unknown' },
    ] as PoolConfig[],
  }

  it('have their agents listed with what they do, except pools that cannot be read', async () => {
    opened.world.pools.set('static', { type: 'STATIC' })
    join(opened.world, 'i-1', 4)
    join(opened.world, 'own-machine', 2, { pool: 'static' })
    const work = submit(opened.world, { pool: 'static', slots: 1 })
    place(opened.world, work, 'own-machine')
    const source = opened.open()
    const agents = [expect.objectContaining({ id: 'own-machine', slots: 2, freeSlots: 1, busy: true })]
    expect(await otherAgents(config, source, undefined)).toEqual([{ pool: 'static', agents }])
    expect(await otherAgents(config, source, 'static')).toHaveLength(1)
    expect(await otherAgents(config, source, 'default')).toEqual([])
  })

  it('do not fail the command when the master is away', async () => {
    await opened.fake.stop()
    expect(await otherAgents(config, opened.open(), undefined)).toEqual([])
  })
})
