// Rollouts as the loop of a pool carries them out: what is written down, what survives a restart, and a person's orders.
import { describe, expect, it } from 'vitest'
import { recall } from '../../../src/fleet/records.ts'
import type { RolloutRules } from '../../../src/planner/snapshot.ts'
import type { Generation } from '../../../src/rollout/generation.ts'
import { type PoolBench, startSettled } from '../../support/pool-bench.ts'

const made = (image: string): Generation => ({ id: image, version: 1, keys: { image } })
const rules: RolloutRules = { when: 'budget', maxUnavailable: { count: 1 }, surge: { count: 1 } }

interface Now {
  generation: Generation
  newestImage?: string
}

async function benchOf(now: Now, rollout = rules, limits = {}): Promise<PoolBench> {
  const bench = await startSettled({ rollout, maxInstances: 5 })
  bench.life.kill()
  bench.settings = { ...bench.settings, policy: { ...bench.settings.policy, minInstances: 2, ...limits } }
  bench.restart({ launchedNow: () => ({ ...now, chosenBy: { image: 'image' } }) })
  await bench.pass(10)
  return bench
}

/** Two old instances that have joined; from now on another generation is launched. */
async function outdated(now: Now, ...rest: [RolloutRules?, object?]): Promise<PoolBench> {
  const bench = await benchOf(now, ...rest)
  await bench.pass(10)
  bench.joins(...bench.ids())
  await bench.pass(150)
  now.generation = made('b')
  await bench.pass(10)
  return bench
}

const status = (bench: PoolBench) => bench.fleet.status()
const rolled = (bench: PoolBench) =>
  status(bench)
    .instances.filter(({ rolledSince }) => rolledSince !== undefined)
    .map(({ id }) => id)

function busy(bench: PoolBench, ...ids: string[]): void {
  for (const id of ids) Object.assign(bench.master.agents.get(id)!, { busy: true, freeSlots: 0 })
}

describe('a rollout', () => {
  it('launches one instance, waits until it has lasted, and then replaces one after the other', async () => {
    const now = { generation: made('a') }
    const bench = await outdated(now)
    const old = bench.ids().slice(0, 2)
    expect(bench.ids()).toHaveLength(3)
    expect(rolled(bench)).toEqual([])
    bench.joins(bench.ids()[2]!)
    await bench.pass(60)
    expect(rolled(bench)).toEqual([])
    await bench.pass(90)
    expect(bench.calls.terminated.flat()).toHaveLength(1)
    await bench.pass(30)
    const [, , , second] = bench.ids()
    bench.joins(second!)
    await bench.pass(60)
    expect(bench.calls.terminated.flat().sort()).toEqual(old)
    expect(status(bench).rollout).toMatchObject({ proven: true })
    expect(status(bench).rollout).not.toHaveProperty('outdated')
  })

  it('knows after a crash what it takes out of service, and gives its jobs their time again', async () => {
    const now = { generation: made('a') }
    const bench = await outdated(now)
    const [old1, old2, first] = bench.ids() as [string, string, string]
    bench.joins(first)
    busy(bench, old1, old2, first)
    await bench.pass(150)
    const [id] = rolled(bench)
    const since = status(bench).instances.find((one) => one.id === id)!.rolledSince
    expect(id).toBeDefined()
    bench.life.kill()
    const restartedAt = bench.now()
    bench.restart({ launchedNow: () => ({ ...now, chosenBy: {} }) })
    await bench.pass(60)
    expect(rolled(bench)).toEqual([id])
    // The clock of another host that wrote it may have been behind.
    const again = status(bench).instances.find((one) => one.id === id)!.rolledSince!
    expect([again > since!, again]).toEqual([true, restartedAt])
    // A stop gives it back; it is taken out of service anew.
    await bench.fleet.stop()
    expect(bench.master.agents.get(id!)).toMatchObject({ enabled: true })
    const memory = recall(await bench.disk.read(), bench.now())
    expect([...memory.tracks.values()].filter(({ rolledSince }) => rolledSince !== undefined)).toEqual([])
    expect(bench.calls.terminated).toEqual([])
  })

  it('terminates a busy instance only after drain_timeout', async () => {
    const now = { generation: made('a') }
    const bench = await outdated(now, { ...rules, drainTimeout: 600_000 })
    const [old1, old2, first] = bench.ids() as [string, string, string]
    bench.joins(first)
    busy(bench, old1, old2, first)
    await bench.pass(150)
    const [id] = rolled(bench)
    await bench.pass(570)
    expect(bench.calls.terminated).toEqual([])
    await bench.pass(60)
    expect(bench.calls.terminated).toEqual([[id]])
    const reasons = bench.events.flatMap((event) =>
      event.kind === 'decided' && event.move === 'terminate' ? [event.reason.code] : [],
    )
    expect(reasons).toContain('DRAIN_TIMEOUT')
  })

  it('gives an instance back when it is not outdated any more', async () => {
    const now = { generation: made('a') }
    const bench = await outdated(now)
    const [old1, old2, first] = bench.ids() as [string, string, string]
    bench.joins(first)
    busy(bench, old1, old2)
    await bench.pass(150)
    const [id] = rolled(bench)
    now.generation = made('a')
    await bench.pass(20)
    expect(rolled(bench)).not.toContain(id)
    expect(bench.master.agents.get(id!)).toMatchObject({ enabled: true })
  })
})

describe('a generation that does not join', () => {
  const failing = async (now: Now) => {
    const bench = await outdated(now)
    await bench.pass(660)
    return bench
  }
  const launches = (bench: PoolBench) => bench.calls.launches.length

  it('stops the rollout, also after a restart, until another one is launched', async () => {
    const now = { generation: made('a') }
    const bench = await failing(now)
    const before = launches(bench)
    expect(status(bench).rollout).toMatchObject({ failed: { code: 'NEVER_JOINED' }, proven: false })
    expect(status(bench).blocked.map(({ code }) => code)).toContain('ROLLOUT_STOPPED')
    bench.life.kill()
    bench.restart({ launchedNow: () => ({ ...now, chosenBy: {} }) })
    await bench.pass(600)
    expect(launches(bench)).toBe(before)
    expect(rolled(bench)).toEqual([])
    now.generation = made('c')
    await bench.pass(20)
    expect(launches(bench)).toBe(before + 1)
    expect(status(bench).rollout).not.toHaveProperty('failed')
  })

  it('is tried again when a person restarts the rollout', async () => {
    const bench = await failing({ generation: made('a') })
    const before = launches(bench)
    await bench.fleet.rollout('restart')
    await bench.pass(20)
    expect(launches(bench)).toBe(before + 1)
  })

  it('may be a newer image of the same configuration', async () => {
    const now: Now = { generation: made('a'), newestImage: 'one' }
    const bench = await outdated(now)
    bench.joins(bench.ids()[2]!)
    for (const { instance } of bench.cloud.instances.values()) instance.image = 'one'
    await bench.pass(150)
    expect(status(bench).rollout).toMatchObject({ proven: true, image: 'one' })
    now.newestImage = 'two'
    await bench.pass(10)
    expect(status(bench).rollout).toMatchObject({ proven: false, image: 'two' })
  })
})

describe('a pause of the rollout', () => {
  it('survives a restart of the provisioner, and ends with `restart`', async () => {
    const now = { generation: made('a') }
    const bench = await benchOf(now)
    await bench.fleet.rollout('pause')
    bench.joins(...bench.ids())
    await bench.pass(150)
    now.generation = made('b')
    bench.life.kill()
    bench.restart({ launchedNow: () => ({ ...now, chosenBy: {} }) })
    await bench.pass(60)
    expect(bench.ids()).toHaveLength(2)
    expect(status(bench).blocked.map(({ code }) => code)).toEqual(['ROLLOUT_PAUSED'])
    await bench.fleet.rollout('restart')
    await bench.pass(10)
    expect(bench.ids()).toHaveLength(3)
    expect(status(bench).rollout!.paused).toBe(false)
  })
})

describe('a schedule', () => {
  it('is asked at each turn', async () => {
    const now = { generation: made('a') }
    let isOpen = false
    const bench = await benchOf(now)
    const opensAt = bench.now() + 3_600_000
    bench.fleet.reconfigure({ ...bench.settings, schedule: { isOpen: () => isOpen, opensAt: () => opensAt } })
    bench.joins(...bench.ids())
    await bench.pass(150)
    now.generation = made('b')
    await bench.pass(60)
    expect(bench.ids()).toHaveLength(2)
    expect(status(bench).rollout).toMatchObject({ opensAt, waits: { SCHEDULE: 2 } })
    isOpen = true
    await bench.pass(60)
    expect(bench.ids()).toHaveLength(3)
  })
})
