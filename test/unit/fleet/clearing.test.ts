// A pool that is cleared: every VM is terminated, also busy ones and those being launched, and none is launched.
import { describe, expect, it } from 'vitest'
import { codesOf, type PoolBench, startSettled } from '../../support/pool-bench.ts'

async function clear(bench: PoolBench, timeoutMs = 120_000): Promise<string[]> {
  let left: string[] | undefined
  void bench.fleet.clear(timeoutMs).then((ids) => {
    left = ids
  })
  await bench.pass(130)
  expect(left).toBeDefined()
  return left!
}

const running = (bench: PoolBench) =>
  [...bench.cloud.instances.values()].filter((vm) => vm.endedAt === undefined).length

describe('a pool that is cleared', () => {
  it('terminates its VMs, busy or not, and launches none in their place', async () => {
    const bench = await startSettled({ minInstances: 2 })
    await bench.pass(10)
    bench.joins(...bench.ids())
    Object.assign(bench.master.agents.get(bench.ids()[0]!)!, { busy: true, freeSlots: 0 })
    bench.wants(4, 4, 4)
    await bench.pass(10)
    expect(await clear(bench)).toEqual([])
    expect(running(bench)).toBe(0)
    expect(codesOf(bench)).toContain('CLEARING')
  })

  it('terminates the VMs of a launch in progress', async () => {
    const bench = await startSettled()
    bench.faults.latency = (call) =>
      call === 'launch' ? { there: 10_000, back: 10_000 } : { there: 100, back: 100 }
    bench.fleet.launch(2)
    await bench.pass(1)
    expect(await clear(bench)).toEqual([])
    expect(bench.ids()).toHaveLength(2)
    expect(running(bench)).toBe(0)
  })

  it('returns what is left when the cloud does not answer', async () => {
    const bench = await startSettled({ minInstances: 1 })
    await bench.pass(30)
    bench.faults.fate = (call) => (call === 'terminate' ? 'silent' : 'done')
    expect(await clear(bench, 60_000)).toEqual(bench.ids())
  })

  it('launches again at the next start', async () => {
    const bench = await startSettled({ minInstances: 1 })
    await bench.pass(10)
    await clear(bench)
    bench.life.kill()
    bench.restart()
    await bench.pass(120)
    expect(running(bench)).toBe(1)
  })
})
