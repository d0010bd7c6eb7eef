// Drift as the loop of a pool sees it: the generation of each instance is written down, and survives whoever leads the pool.
import { describe, expect, it } from 'vitest'
import { missingOf } from '../../../src/fleet/launch.ts'
import { recall } from '../../../src/fleet/records.ts'
import type { Provider } from '../../../src/providers/index.ts'
import type { Generation, LaunchedNow } from '../../../src/rollout/generation.ts'
import { endInstance } from '../../../src/simulator/cloud.ts'
import { simulatedProvider } from '../../../src/simulator/provider.ts'
import { offering } from '../../support/cloud-pools.ts'
import { codesOf, type PoolBench, startSettled } from '../../support/pool-bench.ts'

const chosenBy = { instanceType: 'instance_type' }
const made = (keys: Record<string, string>, version = 1): Generation => ({
  id: `${version} ${JSON.stringify(keys)}`,
  version,
  keys,
})
const first = made({ image: 'a', startup_script: 'a' })
const second = made({ image: 'b', startup_script: 'a' })
const third = made({ image: 'b', startup_script: 'b' })

/** The pool launches this from now on; `now` may change it while the loop runs. */
async function benchOf(now: { generation: Generation; newestImage?: string }): Promise<PoolBench> {
  const bench = await startSettled()
  bench.life.kill()
  bench.restart({ launchedNow: (): LaunchedNow => ({ ...now, chosenBy }) })
  await bench.pass(10)
  return bench
}

async function launchOne(bench: PoolBench): Promise<string> {
  const before = bench.ids()
  bench.wants(...Array.from({ length: before.length + 1 }, () => 4))
  await bench.pass(10)
  const [id] = bench.ids().filter((one) => !before.includes(one))
  bench.joins(id!)
  bench.wants()
  await bench.pass(10)
  return id!
}

const drift = (bench: PoolBench) =>
  Object.fromEntries(bench.fleet.status().instances.map(({ id, drifted }) => [id, drifted]))

describe('an instance', () => {
  it('is drifted as soon as something else is launched, and is not when that is taken back', async () => {
    const now = { generation: first }
    const bench = await benchOf(now)
    const id = await launchOne(bench)
    expect(drift(bench)).toEqual({ [id]: undefined })
    now.generation = third
    await bench.pass(10)
    expect(drift(bench)).toEqual({ [id]: ['image', 'startup_script'] })
    const next = await launchOne(bench)
    expect(drift(bench)).toEqual({ [id]: ['image', 'startup_script'], [next]: undefined })
    now.generation = first
    await bench.pass(10)
    expect(drift(bench)).toEqual({ [id]: undefined, [next]: ['image', 'startup_script'] })
    // Nothing is done about it.
    expect(bench.calls.terminated).toEqual([])
    expect(bench.events.filter((event) => event.kind === 'decided' && event.move !== 'launch')).toEqual([])
  })

  it('is in the snapshot, so that it can be explained', async () => {
    const now = { generation: first }
    const bench = await benchOf(now)
    await launchOne(bench)
    now.generation = second
    await bench.pass(10)
    expect(bench.fleet.status().snapshot!.instances.map(({ drifted }) => drifted)).toEqual([['image']])
  })

  it('of a type that is not offered any more is drifted; after a reload of limits it is not', async () => {
    const bench = await benchOf({ generation: first })
    const id = await launchOne(bench)
    const { settings } = bench
    bench.fleet.reconfigure({ ...settings, policy: { ...settings.policy, maxInstances: 9 } })
    expect(drift(bench)).toEqual({ [id]: undefined })
    const others = ['m5', 'm4'].map((type, preference) => ({ ...offering(type), preference }))
    bench.fleet.reconfigure({ ...settings, offerings: others })
    expect(drift(bench)).toEqual({ [id]: undefined })
    bench.fleet.reconfigure({ ...settings, offerings: others.slice(0, 1) })
    expect(drift(bench)).toEqual({ [id]: ['instance_type'] })
  })

  it('that has ended is not drifted any more', async () => {
    const now = { generation: first }
    const bench = await benchOf(now)
    bench.faults.lingersFor = () => 60_000
    const id = await launchOne(bench)
    now.generation = second
    await bench.pass(10)
    expect(drift(bench)).toEqual({ [id]: ['image'] })
    endInstance(bench.cloud, bench.cloud.instances.get(id)!, 'the machine failed')
    bench.master.agents.delete(id)
    await bench.pass(10)
    expect(bench.fleet.status().instances.map(({ state }) => state)).toEqual(['stopping'])
    expect(drift(bench)).toEqual({ [id]: undefined })
  })
})

describe('the image that only the answer of a launch shows', () => {
  /** Listings show neither image nor zone; answers do, and come after `seconds`. */
  async function imagesOf(seconds: number) {
    const bench = await startSettled()
    bench.life.kill()
    const base = simulatedProvider(bench.cloud, bench.deps.owner)
    const provider: Provider = {
      ...base,
      async launch(order, signal) {
        const answer = await base.launch(order, signal)
        await bench.clock.sleep(seconds * 1000)
        const instances = answer.instances.map((one) => ({ ...one, image: 'old', offeredZone: 'gone' }))
        return { ...answer, instances }
      },
    }
    const now = { generation: first, newestImage: 'old', chosenBy: { image: 'image', zone: 'zone' } }
    const deps = { provider, launchedNow: (): LaunchedNow => now }
    bench.restart(deps)
    await bench.pass(10)
    bench.wants(4)
    // Before the journal is compacted.
    await bench.pass(25)
    const [id] = bench.ids()
    bench.joins(id!)
    now.newestImage = 'new'
    await bench.pass(5)
    return { bench, id: id!, deps }
  }

  const drifted = ['image', 'zone']

  it.each([0, 20])('is known when the answer comes after %d s', async (seconds) => {
    const { bench, id } = await imagesOf(seconds)
    expect(drift(bench)).toEqual({ [id]: drifted })
  })

  it.each([
    ['a crash', async (bench: PoolBench) => bench.life.kill()],
    ['a stop', (bench: PoolBench) => bench.fleet.stop()],
  ])('survives %s, also where a listing showed the instance before the answer', async (_, end) => {
    const { bench, id, deps } = await imagesOf(20)
    await end(bench)
    bench.restart(deps)
    await bench.pass(20)
    expect(drift(bench)).toEqual({ [id]: drifted })
  })
})

describe('after a restart', () => {
  it.each([
    ['a crash', async (bench: PoolBench) => bench.life.kill()],
    ['a stop, which compacts the journal', (bench: PoolBench) => bench.fleet.stop()],
    [
      'a compaction and a crash',
      async (bench: PoolBench) => {
        await bench.pass(70)
        bench.life.kill()
      },
    ],
  ])('by %s, instances of two generations are known', async (_, end) => {
    const now = { generation: first }
    const bench = await benchOf(now)
    const old = await launchOne(bench)
    now.generation = second
    const newer = await launchOne(bench)
    await end(bench)
    bench.restart({ launchedNow: () => ({ generation: third, chosenBy }) })
    await bench.pass(20)
    expect(drift(bench)).toEqual({ [old]: ['image', 'startup_script'], [newer]: ['startup_script'] })
  })

  it('a launch whose answer was lost has the generation it was written down with', async () => {
    const bench = await benchOf({ generation: first })
    bench.faults.fate = (call) => (call === 'launch' ? 'reply_lost' : 'done')
    bench.wants(4)
    await bench.pass(1)
    bench.life.kill()
    const [id] = bench.ids()
    bench.restart({ launchedNow: () => ({ generation: second, chosenBy }) })
    await bench.pass(20)
    expect(drift(bench)).toEqual({ [id!]: ['image'] })
  })

  it('a launch is known although what is launched could not be written down before', async () => {
    const now = { generation: first }
    const bench = await benchOf(now)
    const { append } = bench.disk
    let refused = 0
    bench.disk.append = async (record) => {
      if (record.kind === 'generation' && refused++ === 0) throw new Error('the disk is full')
      return append(record)
    }
    // In the same turn.
    now.generation = second
    bench.wants(4)
    await bench.pass(1)
    bench.life.kill()
    bench.disk.append = append
    expect([refused, bench.ids().length]).toEqual([2, 1])
    bench.restart({ launchedNow: () => ({ generation: third, chosenBy }) })
    await bench.pass(20)
    expect(Object.values(drift(bench))).toEqual([['startup_script']])
  })

  it('another provisioner that takes the pool over knows them', async () => {
    const now = { generation: first }
    const bench = await benchOf(now)
    const id = await launchOne(bench)
    bench.life.kill()
    const other = { ...bench.deps.owner, writerId: 'other-writer' }
    bench.restart({
      owner: other,
      ownWriters: new Set(['writer', 'other-writer']),
      launchedNow: () => ({ generation: second, chosenBy }),
    })
    await bench.pass(20)
    expect(drift(bench)).toEqual({ [id]: ['image'] })
    expect(codesOf(bench)).toEqual([])
  })

  it('generations that no instance has are forgotten', async () => {
    const now = { generation: first }
    const bench = await benchOf(now)
    await launchOne(bench)
    for (const name of ['x', 'y', 'z']) {
      now.generation = made({ image: name, startup_script: 'a' })
      await bench.pass(10)
    }
    await bench.fleet.stop()
    const memory = recall(await bench.disk.read(), bench.now())
    expect([...memory.generations.values()].map(({ keys }) => keys['image'])).toEqual(['a', 'z'])
    expect(memory.generations.get(memory.generation!)?.keys['image']).toBe('z')
  })
})

describe('a journal of another version', () => {
  it('without generations: instances are not known to differ, and new ones are', async () => {
    const bench = await startSettled()
    const old = await launchOne(bench)
    bench.life.kill()
    const now = { generation: first }
    bench.restart({ launchedNow: () => ({ ...now, chosenBy }) })
    await bench.pass(10)
    const newer = await launchOne(bench)
    now.generation = second
    await bench.pass(10)
    expect(drift(bench)).toEqual({ [old]: undefined, [newer]: ['image'] })
  })

  it('with digests of another kind: nothing drifts because of that, and what had drifted still has', async () => {
    const now = { generation: made({ image: 'old a', startup_script: 'old a' }, 0) }
    const bench = await benchOf(now)
    const old = await launchOne(bench)
    now.generation = made({ image: 'old b', startup_script: 'old a' }, 0)
    const newer = await launchOne(bench)
    bench.life.kill()
    const then = { generation: second }
    bench.restart({ launchedNow: () => ({ ...then, chosenBy }) })
    await bench.pass(10)
    expect(drift(bench)).toEqual({ [old]: ['image'], [newer]: undefined })
    // The result is what the journal has now: another start does not convert it again.
    bench.life.kill()
    then.generation = third
    bench.restart({ launchedNow: () => ({ ...then, chosenBy }) })
    await bench.pass(10)
    expect(drift(bench)).toEqual({ [old]: ['image', 'startup_script'], [newer]: ['startup_script'] })
  })

  it('with an open launch: it is converted, too', async () => {
    const bench = await benchOf({ generation: made({ image: 'old a' }, 0) })
    bench.faults.fate = (call) => (call === 'launch' ? 'reply_lost' : 'done')
    bench.wants(4)
    await bench.pass(1)
    bench.life.kill()
    const open = recall(await bench.disk.read(), bench.now()).intents
    expect([...open.values()].map(missingOf)).toEqual([1])
    const now = { generation: made({ image: 'a' }) }
    bench.restart({ launchedNow: () => ({ ...now, chosenBy }) })
    await bench.pass(20)
    now.generation = made({ image: 'b' })
    await bench.pass(10)
    expect(Object.values(drift(bench))).toEqual([['image']])
  })
})
