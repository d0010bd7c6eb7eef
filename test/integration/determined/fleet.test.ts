// A pool beside a Determined master, from a waiting job to no VM at all, and through what happens to real masters.
import { describe, expect, it, type TestContext } from 'vitest'
import type { Policy } from '../../../src/planner/snapshot.ts'
import { type DeterminedPool, startPool } from '../../support/fake-determined/pool.ts'
import { command, experiment } from '../../support/fake-determined/submissions.ts'
import { finish, join, lose, submit } from '../../support/fake-determined/world.ts'
import { second } from '../../support/planner.ts'
import { until } from '../../support/server.ts'

async function started(
  { onTestFinished }: TestContext,
  rules: Partial<Policy> = {},
): Promise<DeterminedPool> {
  const pool = await startPool(rules)
  onTestFinished(() => pool.dispose())
  return pool
}

const placed = ({ world }: DeterminedPool, id: string) => world.work.get(id)?.on.size ?? 0
const holds = ({ fleet }: DeterminedPool) => fleet.status().blocked.map(({ code }) => code)
const problems = ({ fleet }: DeterminedPool) => fleet.status().problems.map(({ code }) => code)

/** One VM with this job on it. */
async function withWork(pool: DeterminedPool, slots: number): Promise<string> {
  const work = submit(pool.world, { slots })
  await until(() => placed(pool, work) === 1)
  return work
}

// Nearly all of their time is waiting.
describe.concurrent('jobs that start and end', () => {
  it('launches VMs, drains them when they are idle, and terminates them', async (context) => {
    const pool = await started(context)
    const work = [submit(pool.world, { slots: 4 }), submit(pool.world, { slots: 3 })]
    for (const id of work) await until(() => placed(pool, id) === 1)
    expect(pool.live()).toHaveLength(2)
    for (const id of work) finish(pool.world, id)
    await until(() => pool.live().length === 0, 'the end of all VMs')
    expect(pool.moved('drain').sort()).toEqual(pool.moved('terminate').sort())
    // The question for the permission is about no agent.
    const orders = pool.fake.asked.filter(
      (line) => !line.includes('permission-check') && line.startsWith('POST') && !line.includes('auth'),
    )
    expect(orders).toHaveLength(2)
    for (const line of orders) expect(line).toMatch(/disable$/)
  })

  it('undrains an agent when a job needs it', async (context) => {
    const pool = await started(context)
    finish(pool.world, await withWork(pool, 4))
    const [id] = pool.live()
    let again = ''
    pool.fake.onAnswer = ({ path }) => {
      if (path.endsWith('/disable') && !again) again = submit(pool.world, { slots: 4 })
    }
    await until(() => (again !== '' && placed(pool, again)) === 1)
    expect(pool.moved('undrain')).toEqual([id])
    expect(pool.live()).toEqual([id])
  })
})

describe.concurrent('a notebook without slots', () => {
  it('launches a VM and keeps it, although the list of agents shows no job on it', async (context) => {
    const pool = await started(context)
    const notebook = await withWork(pool, 0)
    const [id] = pool.live()
    await pool.clock.sleep(100 * second)
    expect(pool.moved('drain')).toEqual([])
    expect(pool.fleet.status().snapshot!.agents).toMatchObject([{ id, busy: true, freeSlots: 4 }])
    finish(pool.world, notebook)
    await until(() => pool.live().length === 0, 'the end of all VMs')
  })
})

describe.concurrent('a master that is restarted', () => {
  it('blocks everything while it is away, and continues with the same VMs', async (context) => {
    const pool = await started(context)
    const work = await withWork(pool, 4)
    await pool.fake.stop()
    await until(() => holds(pool).includes('DEMAND_MISSING'), 'DEMAND_MISSING')
    await until(() => problems(pool).includes('DETERMINED_UNREACHABLE'), 'DETERMINED_UNREACHABLE')
    await pool.clock.sleep(60 * second)
    const ids = pool.live()
    expect(ids).toHaveLength(1)
    // After a restart the sessions still exist, and agents look drained until they reconnect.
    for (const id of ids) lose(pool.world, id)
    await pool.fake.start()
    await until(() => !holds(pool).includes('DEMAND_MISSING'), 'the end of ' + 'DEMAND_MISSING')
    for (const id of ids) join(pool.world, id, 4)
    await pool.clock.sleep(20 * second)
    await until(() => problems(pool).length === 0, 'the end of problems')
    expect([pool.live(), placed(pool, work)]).toEqual([ids, 1])
    expect(pool.moved('drain')).toEqual([])
    finish(pool.world, work)
    await until(() => pool.live().length === 0, 'the end of all VMs')
  })
})

describe.concurrent('an agent that waits to reconnect', () => {
  it('is neither drained nor replaced, also while a job waits that it could run', async (context) => {
    const pool = await started(context, { minInstances: 1, maxIdle: 1_000 * second })
    await until(() => pool.fleet.status().joined === 1)
    const [id] = pool.live()
    lose(pool.world, id!)
    submit(pool.world, { slots: 4 })
    await pool.clock.sleep(15 * second)
    expect(pool.live()).toEqual([id])
    join(pool.world, id!, 4)
    await until(() => pool.world.work.values().next().value?.on.size === 1)
    expect([pool.live(), pool.moved('drain'), pool.moved('terminate')]).toEqual([[id], [], []])
  })

  it('is not terminated while it is away, however long it was idle', async (context) => {
    const pool = await started(context)
    finish(pool.world, await withWork(pool, 4))
    const [id] = pool.live()
    lose(pool.world, id!)
    await until(() => problems(pool).includes('DETERMINED_AGENT_AWAY'), 'DETERMINED_AGENT_AWAY')
    expect([pool.live(), pool.moved('terminate')]).toEqual([[id], []])
    join(pool.world, id!, 4)
    await until(() => pool.live().length === 0, 'the end of all VMs')
    expect(pool.moved('terminate')).toEqual([id])
  })
})

describe.concurrent('an expired session', () => {
  it('is renewed without a visible effect', async (context) => {
    const pool = await started(context)
    const work = await withWork(pool, 4)
    pool.world.sessions.clear()
    finish(pool.world, work)
    await until(() => pool.live().length === 0, 'the end of all VMs')
    expect(pool.fake.count('/auth/login')).toBe(2)
    expect(pool.events.filter(({ kind }) => kind === 'problem')).toEqual([])
  })
})

describe.concurrent('a provisioner that is restarted', () => {
  it('undrains the agents that it drained', async (context) => {
    const pool = await started(context)
    await withWork(pool, 4)
    const [id] = pool.live()
    await until(() => pool.fleet.status().snapshot!.agents[0]?.busy, 'a view of the busy agent')
    await pool.fleet.remove([id!], 'when_idle')
    await until(() => pool.fleet.status().instances[0]!.drainedAt, 'the drain')
    const agent = pool.world.agents.get(id!)!
    expect(agent.draining).toBe(true)
    await pool.fleet.stop()
    expect(agent).toMatchObject({ enabled: true, draining: false })
    expect(pool.live()).toEqual([id])
  })

  it('knows its VMs and their idle time', async (context) => {
    const pool = await started(context, { maxIdle: 120 * second })
    finish(pool.world, await withWork(pool, 4))
    await pool.clock.sleep(90 * second)
    const began = pool.clock.now()
    await pool.restart()
    await until(() => pool.live().length === 0, 'the end of all VMs')
    // It had been idle for most of its time before.
    const ended = pool.events.find(({ kind }) => kind === 'terminated')
    expect(ended!.at - began).toBeLessThan(100 * second)
    expect(pool.cloud.created).toBe(1)
  })
})

describe.concurrent('a master whose configuration gets a provider for the pool', () => {
  it('runs the pool itself: nothing is launched, drained or terminated', async (context) => {
    const pool = await started(context)
    finish(pool.world, await withWork(pool, 4))
    pool.world.pools.set('default', { type: 'GCP' })
    await until(() => problems(pool).includes('DETERMINED_POOL_PROVIDED'), 'DETERMINED_POOL_PROVIDED')
    await until(() => holds(pool).includes('DEMAND_MISSING'), 'DEMAND_MISSING')
    submit(pool.world, { slots: 4 })
    await pool.clock.sleep(60 * second)
    expect([pool.live().length, pool.cloud.created, pool.moved('drain')]).toEqual([1, 1, []])
  })
})

describe.concurrent('at zero agents', () => {
  it('such a master refuses jobs that need slots; with launch_error off, experiments wait and get a VM', async (context) => {
    const pool = await started(context)
    const { world } = pool
    expect(command(world, { slots: 1 })).toMatchObject({ status: 400 })
    expect(experiment(world, { slots: 1 })).toMatchObject({ status: 400 })
    world.launchError = false
    expect(command(world, { slots: 1 })).toMatchObject({ status: 400 })
    expect(experiment(world, { slots: 4 })).toMatchObject({ status: 200 })
    await until(() => pool.live().length === 1, 'a VM')
    await until(() => [...world.work.values()][0]!.on.size === 1)
    expect(command(world, { slots: 4 })).toMatchObject({ status: 200 })
  })
})
