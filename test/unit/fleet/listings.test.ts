// What listings and the master say of the same VM, when they disagree: whose word counts, and for how long.
import { describe, expect, it } from 'vitest'
import { minute } from '../../support/planner.ts'
import { startSettled } from '../../support/pool-bench.ts'

async function benchWithAgent() {
  const bench = await startSettled({ minInstances: 1 })
  await bench.pass(10)
  const [id] = bench.ids()
  bench.joins(id!)
  await bench.pass(10)
  return { bench, vm: bench.cloud.vms.get(id!)! }
}

describe('a VM that listings stop to show', () => {
  it('is kept as long as the master sees its agent', async () => {
    const { bench, vm } = await benchWithAgent()
    vm.visibleAt = Number.POSITIVE_INFINITY
    await bench.pass(10 * 60)
    expect(bench.fleet.knows(vm.instance.id)).toBe(true)
  })

  it('is gone when the master has not been heard of since', async () => {
    const { bench, vm } = await benchWithAgent()
    bench.master.down = true
    vm.visibleAt = Number.POSITIVE_INFINITY
    await bench.pass(5 * 60)
    expect(bench.fleet.knows(vm.instance.id)).toBe(false)
    expect(bench.fleet.status().live).toBe(0)
  })

  it('is one of ours again when it shows up later, joined as it was', async () => {
    const { bench, vm } = await benchWithAgent()
    bench.master.down = true
    vm.visibleAt = bench.now() + 5 * minute
    await bench.pass(10 * 60)
    bench.master.down = false
    await bench.pass(60)
    const [track] = bench.fleet.status().instances
    expect(track).toMatchObject({ id: vm.instance.id, joinedAt: expect.any(Number) })
    expect(bench.calls.launches).toHaveLength(1)
  })
})

describe('a VM that no listing has shown yet', () => {
  it('is no reason to end another in its favour', async () => {
    const bench = await startSettled({ minInstances: 2, maxIdle: minute })
    await bench.pass(10)
    bench.joins(...bench.ids())
    await bench.pass(90)
    bench.faults.hiddenFor = () => 2 * minute
    bench.fleet.launch(1)
    await bench.pass(90)
    expect(bench.calls.terminated).toEqual([])
    expect(bench.fleet.status().live).toBe(3)
    await bench.pass(60)
    expect(bench.calls.terminated).toHaveLength(1)
  })
})
