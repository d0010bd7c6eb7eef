// When listings and the master disagree about a VM: which of them counts, and for how long.
import { describe, expect, it } from 'vitest'
import { endInstance } from '../../../src/simulator/cloud.ts'
import { simulatedProvider } from '../../../src/simulator/provider.ts'
import { minute } from '../../support/planner.ts'
import { codesOf, owner, problemsOf, startSettled } from '../../support/pool-bench.ts'

async function benchWithAgent() {
  const bench = await startSettled({ minInstances: 1 })
  await bench.pass(10)
  const [id] = bench.ids()
  bench.joins(id!)
  await bench.pass(10)
  return { bench, vm: bench.cloud.instances.get(id!)! }
}

describe('a VM that listings no longer show', () => {
  it('is kept as long as the master shows its agent', async () => {
    const { bench, vm } = await benchWithAgent()
    vm.visibleAt = Number.POSITIVE_INFINITY
    await bench.pass(10 * 60)
    expect(bench.fleet.knows(vm.instance.id)).toBe(true)
  })

  it('is gone when there was no demand update since, and the cloud does not know its id either', async () => {
    const { bench, vm } = await benchWithAgent()
    bench.master.down = true
    vm.visibleAt = Number.POSITIVE_INFINITY
    await bench.pass(5 * 60)
    expect(bench.fleet.knows(vm.instance.id)).toBe(true)
    await bench.pass(3 * 60)
    expect(bench.fleet.knows(vm.instance.id)).toBe(false)
    expect(bench.fleet.status().live).toBe(0)
  })

  it('is managed again when it shows up later, with its state', async () => {
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

describe('an instance that no listing shows any more, and whose agent is not connected', () => {
  async function bootingTwo() {
    const bench = await startSettled({ maxInstances: 2, bootTimeout: 60 * minute })
    bench.wants(4, 4)
    await bench.pass(20)
    expect(bench.ids()).toHaveLength(2)
    return bench
  }

  it('counts against max_instances as long as the cloud knows its id, however many listings lack it', async () => {
    const bench = await bootingTwo()
    bench.faults.listing = () => ({ instances: [], complete: true })
    await bench.pass(40 * 60)
    expect(bench.ids()).toHaveLength(2)
    expect(bench.fleet.status().live).toBe(2)
    expect(problemsOf(bench)).toEqual([])
  })

  it('is gone after two lookups by id, a minute apart, that do not find it', async () => {
    const bench = await bootingTwo()
    bench.faults.listing = () => ({ instances: [], complete: true })
    await bench.pass(6 * 60)
    let asked = 0
    // Once unknown, then known: the first lookup does not count.
    bench.faults.finding = (found) => (asked++ === 0 ? [] : found)
    await bench.pass(10 * 60)
    expect(asked).toBeGreaterThan(5)
    expect(bench.fleet.status().live).toBe(2)
    bench.faults.finding = () => []
    await bench.pass(3 * 60)
    expect(bench.ids().length).toBeGreaterThan(2)
  })

  it('is looked up only once it is old enough for the result to be reliable', async () => {
    const bench = await bootingTwo()
    bench.faults.listing = () => ({ instances: [], complete: true })
    bench.faults.finding = () => []
    await bench.pass(4 * 60)
    expect(bench.ids()).toHaveLength(2)
    await bench.pass(4 * 60)
    expect(bench.ids().length).toBeGreaterThan(2)
  })

  it('counts as a failed launch when a lookup by id shows that it stopped by itself', async () => {
    const bench = await bootingTwo()
    bench.faults.listing = () => ({ instances: [], complete: true })
    await bench.pass(6 * 60)
    endInstance(bench.cloud, bench.cloud.instances.get(bench.ids()[0]!)!, 'disk failed', 'stopped')
    await bench.pass(2 * 60)
    const failed = bench.events.flatMap((event) => (event.kind === 'problem' ? [event.problem] : []))
    expect(failed).toMatchObject([{ code: 'NEVER_JOINED', details: { id: bench.ids()[0] } }])
    expect(failed[0]!.message).toContain('the cloud: disk failed')
  })

  it('is gone after five minutes of complete listings where the cloud has no lookup by id, and not before', async () => {
    const bench = await startSettled({ maxInstances: 1, bootTimeout: 60 * minute })
    bench.life.kill()
    const { find: _, ...provider } = simulatedProvider(bench.cloud, owner)
    bench.restart({ provider })
    bench.wants(4)
    await bench.pass(10 * 60)
    const [id] = bench.ids()
    bench.faults.listing = () => ({ instances: [], complete: true })
    await bench.pass(4 * 60)
    expect(bench.fleet.knows(id!)).toBe(true)
    await bench.pass(2 * 60)
    expect(bench.fleet.knows(id!)).toBe(false)
    expect(problemsOf(bench)).toEqual(['NEVER_JOINED'])
  })

  it('that was terminated, as the cloud accepted, needs no second lookup', async () => {
    const bench = await startSettled({ maxInstances: 1, maxIdle: minute })
    bench.wants(4)
    await bench.pass(20)
    bench.joins(...bench.ids())
    bench.wants()
    await bench.pass(100)
    expect(bench.fleet.status().live).toBe(0)
  })
})

describe('an account that is not the one the instances are in', () => {
  it('launches and terminates nothing, and reports the account', async () => {
    const { bench, vm } = await benchWithAgent()
    await bench.pass(10 * 60)
    const find = async () => ({ instances: [], complete: true, problems: [], account: 'another' })
    const list = async () => ({ instances: [], complete: true, problems: [], account: 'another' })
    bench.life.kill()
    bench.master.agents.clear()
    bench.restart({ provider: { ...simulatedProvider(bench.cloud, owner), list, find } })
    await bench.pass(20 * 60)
    expect(codesOf(bench)).toContain('ACCOUNT_CHANGED')
    expect(bench.fleet.knows(vm.instance.id)).toBe(true)
    expect(bench.ids()).toHaveLength(1)
    const reported = bench.events.find((e) => e.kind === 'problem' && e.problem.code === 'ACCOUNT_CHANGED')
    expect(JSON.stringify(reported)).toContain('belong to account another')
    expect(JSON.stringify(reported)).toContain('are in account simulated')
  })
})

it('the earlier account is recognised when it is back, also when no instance is left to show it', async () => {
  const { bench, vm } = await benchWithAgent()
  let account = 'another'
  const provider = simulatedProvider(bench.cloud, owner)
  const nothing = { instances: [], complete: true, problems: [] }
  bench.life.kill()
  bench.master.agents.clear()
  endInstance(bench.cloud, vm, 'terminated by its owner')
  bench.restart({
    provider: { ...provider, list: async () => nothing, find: async () => ({ ...nothing, account }) },
  })
  await bench.pass(2 * 60)
  expect(codesOf(bench)).toContain('ACCOUNT_CHANGED')
  account = 'simulated'
  await bench.pass(2 * 60)
  expect(codesOf(bench)).not.toContain('ACCOUNT_CHANGED')
})

describe('a VM that no listing has shown yet', () => {
  it('is no reason to terminate another one', async () => {
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

describe('the first listing of a start', () => {
  it('is repeated within seconds when it fails, also by a pool without instances that lists once a minute', async () => {
    const bench = await startSettled()
    bench.life.kill()
    const lists: number[] = []
    const provider = simulatedProvider(bench.cloud, owner)
    const list = async () => {
      const startedAt = bench.now()
      lists.push(startedAt)
      if (lists.length === 1) throw new Error('the cloud is down')
      return { ...(await provider.list()), startedAt, took: bench.now() - startedAt }
    }
    bench.restart({ shared: { list, find: list } })
    await bench.pass(50)
    expect(lists.map((at) => at - lists[0]!)).toEqual([0, 5_000])
  })
})
