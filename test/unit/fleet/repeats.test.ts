// Calls that had no effect are repeated, at a limited rate, and each is reported once.
import { describe, expect, it } from 'vitest'
import { act } from '../../../src/fleet/decide.ts'
import { createRun } from '../../../src/fleet/run.ts'
import { simulatedProvider } from '../../../src/simulator/provider.ts'
import { minute, second, vm } from '../../support/planner.ts'
import { owner, type PoolBench, startSettled } from '../../support/pool-bench.ts'

async function idleVms(bench: PoolBench, count: number): Promise<string[]> {
  bench.wants(...Array.from({ length: count }, () => 4))
  await bench.pass(5)
  bench.wants()
  bench.joins(...bench.ids())
  await bench.pass(1)
  return bench.ids()
}

const decided = (bench: PoolBench, move: string) =>
  bench.events.flatMap((event) => (event.kind === 'decided' && event.move === move ? [event] : []))

describe('a drain that fails', () => {
  it('is repeated every few seconds, and reported as often as it is requested', async () => {
    const bench = await startSettled({ maxIdle: 10 * minute })
    const [id] = await idleVms(bench, 1)
    let drains = 0
    bench.master.onDrain = () => {
      drains++
      throw new Error('not now')
    }
    await bench.pass(11 * 60)
    const all = decided(bench, 'drain')
    expect(drains).toBeGreaterThan(3)
    expect(drains).toBeLessThan(20)
    expect(all.map(({ ids }) => ids)).toEqual(Array.from({ length: drains }, () => [id]))
  })

  it('may be repeated from the end of its pause on', async () => {
    const bench = await startSettled()
    const run = createRun(bench.deps, bench.settings, () => {})
    for (const [id, left] of [['over', 0] as const, ['pausing', 1] as const])
      run.memory.tracks.set(id, { ...vm(id), listed: true, retryAt: bench.now() + left })
    const ids = ['over', 'pausing']
    act(run, [{ kind: 'drain', ids, reason: { code: 'LONG_IDLE', numbers: {} } }], bench.material)
    expect(decided(bench, 'drain').map((event) => event.ids)).toEqual([['over']])
  })
})

describe('a termination that the cloud accepts', () => {
  it('without an effect is repeated when a listing shows that a minute later, and not before', async () => {
    const bench = await startSettled({ maxIdle: 10 * minute })
    const provider = simulatedProvider(bench.cloud, owner)
    const asked: number[] = []
    bench.life.kill()
    bench.restart({
      provider: {
        ...provider,
        async terminate(ids) {
          asked.push(bench.now())
          return { terminated: ids, failures: [] }
        },
      },
    })
    await bench.pass(70)
    await idleVms(bench, 1)
    await bench.pass(20 * 60)
    expect(asked.length).toBeGreaterThan(3)
    for (const [n, at] of asked.entries()) {
      const since = n === 0 ? minute : at - asked[n - 1]!
      expect(since).toBeGreaterThanOrEqual(minute)
      expect(since).toBeLessThan(100 * second)
    }
  })
})

describe('a job that is not placed although agents are free', () => {
  it('is tried again after longer and longer pauses, of half an hour at most', async () => {
    const bench = await startSettled({ maxIdle: 1000 * minute, maxInstances: 6, minInstances: 6 })
    await idleVms(bench, 6)
    bench.wants(4)
    await bench.pass(4 * 60 * 60)
    const marks = decided(bench, 'mark').map(({ at }) => at)
    // One agent more is tried right after each pause.
    const pauses = marks.slice(1).flatMap((at, n) => (at - marks[n]! < minute ? [] : [at - marks[n]!]))
    expect(pauses.length).toBeGreaterThan(4)
    expect(pauses[0]).toBeLessThan(11 * minute)
    expect(pauses[0]).toBeGreaterThanOrEqual(10 * minute)
    expect(Math.min(...pauses.slice(1))).toBeGreaterThanOrEqual(20 * minute)
    expect(Math.max(...pauses)).toBeLessThan(31 * minute)
  })
})
