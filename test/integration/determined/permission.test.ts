// A user that may not drain agents: nothing is launched that could never be terminated.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ProvisionError } from '../../../src/problems/index.ts'
import { type Opened, openFake } from '../../support/fake-determined/opened.ts'
import { type DeterminedPool, startPool } from '../../support/fake-determined/pool.ts'
import { type FakeUser, join, submit } from '../../support/fake-determined/world.ts'
import { FastClock } from '../../support/fast-clock.ts'
import { until } from '../../support/server.ts'

let opened: Opened
let source: ReturnType<Opened['open']>
let clock: FastClock
beforeEach(async () => {
  opened = await openFake()
  clock = new FastClock(1000)
  const demand = { user: 'student', password_file: opened.write('student', 'battery') }
  source = opened.open({ demand, clock })
})
afterEach(() => opened.dispose())

const student = (): FakeUser => opened.world.users.get('student')!
const codeOf = (failing: Promise<unknown>): Promise<string | undefined> =>
  failing.then(
    () => 'no error',
    (error: ProvisionError) => error.code,
  )
const codes = async () => (await source.check(['default'])).map(({ code }) => code)
const verbs = () => opened.fake.asked.filter((line) => /(en|dis)able$/.test(line)).length

describe('a user that may not drain agents', () => {
  it('is an error of the check, which names the user and what to type', async () => {
    const [found] = await source.check(['default'])
    expect(found).toMatchObject({ code: 'DETERMINED_CANNOT_DRAIN', severity: 'error' })
    expect(found!.message).toContain('user student')
    expect(found!.remedy).toContain('det user edit student --admin true')
    expect(found!.details?.['pool']).toBeUndefined()
  })

  it('blocks the pool, so that nothing is launched', async () => {
    submit(opened.world, { slots: 4 })
    expect(await codeOf(source.read('default'))).toBe('DETERMINED_CANNOT_DRAIN')
  })

  it('needs no restart once the permission is granted', async () => {
    expect(await codes()).toEqual(['DETERMINED_CANNOT_DRAIN'])
    student().admin = true
    await clock.sleep(60_000)
    expect(await source.read('default')).toMatchObject({ pending: [] })
  })

  it('is noticed when the permission is withdrawn, at the first refused drain or after a while', async () => {
    join(opened.world, 'i-1', 4)
    student().admin = true
    await source.read('default')
    student().admin = false
    expect(await codeOf(source.drain('i-1'))).toBe('DETERMINED_NOT_PERMITTED')
    expect(await codeOf(source.read('default'))).toBe('DETERMINED_CANNOT_DRAIN')
    student().admin = true
    await clock.sleep(60_000)
    await source.read('default')
    student().admin = false
    await clock.sleep(20 * 60_000)
    expect(await codeOf(source.read('default'))).toBe('DETERMINED_CANNOT_DRAIN')
  })

  it('with RBAC is one without the permission to update agents, admin or not', async () => {
    opened.world.rbacEnabled = true
    student().admin = true
    expect(await codes()).toEqual(['DETERMINED_CANNOT_DRAIN'])
    const [found] = await source.check(['default'])
    expect(found!.remedy).toContain('ClusterAdmin')
    Object.assign(student(), { admin: false, updatesAgents: true })
    await clock.sleep(60_000)
    expect(await codes()).toEqual([])
  })
})

describe('asking for the permission', () => {
  it('changes no agent, and is not repeated with each poll', async () => {
    student().admin = true
    for (const id of ['i-1', 'i-2']) join(opened.world, id, 4)
    const agents = () => [...opened.world.agents.values()].map(({ enabled }) => enabled)
    opened.world.agents.get('i-2')!.enabled = false
    for (const _ of Array(10)) await source.read('default')
    expect(agents()).toEqual([true, false])
    expect(verbs()).toBe(1)
  })

  it('is repeated after an answer that shows nothing', async () => {
    student().admin = true
    opened.fake.faults = [{ path: '/enable', kind: 502, times: 1 }]
    expect(await codeOf(source.read('default'))).toBe('DETERMINED_FAULT')
    await clock.sleep(5_000)
    expect(await source.read('default')).toMatchObject({ pending: [] })
  })
})

describe('a pool whose user loses the permission', () => {
  let pool: DeterminedPool
  beforeEach(async () => {
    pool = await startPool()
  })
  afterEach(() => pool.dispose())

  it('launches nothing from then on', async () => {
    submit(pool.world, { slots: 4 })
    await until(() => pool.world.agents.size === 1, 'the first agent')
    pool.world.users.get('provisioner')!.admin = false
    await pool.restart()
    submit(pool.world, { slots: 4 })
    await until(() => pool.fleet.status().blocked.length > 0, 'the block')
    await pool.clock.sleep(30_000)
    expect(pool.live()).toHaveLength(1)
    expect(pool.fleet.status().blocked).toMatchObject([
      { code: 'DEMAND_MISSING', problem: { code: 'DETERMINED_CANNOT_DRAIN' } },
    ])
  })
})

describe('launch_error', () => {
  it('is what the master is configured with, and the default for a user that may not read it', async () => {
    opened.world.launchError = false
    expect(await source.launchError()).toBe(true)
    student().admin = true
    expect(await source.launchError()).toBe(false)
    opened.world.launchError = true
    expect(await source.launchError()).toBe(true)
  })
})
