// Instances of the pool that another provisioner launched: nothing changes while there are any, and adopting them.
import { describe, expect, it } from 'vitest'
import { endInstance, performLaunch } from '../../../src/simulator/cloud.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { minute } from '../../support/planner.ts'
import { codesOf, owner, type PoolBench, startSettled } from '../../support/pool-bench.ts'

function foreignVm(bench: PoolBench, writerId = 'somebody'): string {
  const offering = { instanceType: 'm4', zone: 'a', capacityType: 'on_demand', slots: 4 } as const
  const intent = { id: `foreign-${bench.ids().length}`, count: 1, offerings: [offering] }
  return performLaunch(bench.cloud, { intent, owner: { ...owner, writerId }, userData: userDataOf('') })
    .instances[0]!.id
}

describe('VMs of another writer', () => {
  it('stop the pool, in both directions, until they are adopted', async () => {
    const bench = await startSettled({ maxIdle: 5 * minute })
    const id = foreignVm(bench)
    await bench.pass(10)
    bench.joins(id)
    bench.wants(4, 4)
    await bench.pass(20)
    expect(codesOf(bench)).toEqual(['FOREIGN_WRITER'])
    expect(bench.fleet.status().blocked[0]!.numbers).toEqual({ instances: 1 })
    expect(bench.calls.launches).toEqual([])
    expect(await bench.fleet.adopt()).toEqual(['somebody'])
    await bench.pass(10)
    expect(codesOf(bench)).toEqual([])
    expect(bench.calls.launches.map(({ intent }) => intent.count)).toEqual([1])
  })

  it('stay foreign while listings are partial', async () => {
    const bench = await startSettled()
    foreignVm(bench)
    await bench.pass(10)
    bench.faults.listing = () => ({ instances: [], complete: false })
    bench.wants(4)
    await bench.pass(60)
    expect(codesOf(bench)).toContain('FOREIGN_WRITER')
    expect(bench.calls.launches).toEqual([])
  })

  it('stay adopted after a restart, and are terminated like our own', async () => {
    const bench = await startSettled({ maxIdle: 5 * minute })
    const id = foreignVm(bench)
    await bench.pass(10)
    await bench.fleet.adopt()
    bench.life.kill()
    bench.restart()
    bench.joins(id)
    await bench.pass(6 * 60)
    expect(bench.calls.terminated).toEqual([[id]])
  })

  it('stop the pool although listings leave them out, until the cloud does not know their ids either', async () => {
    const bench = await startSettled()
    const vm = bench.cloud.instances.get(foreignVm(bench))!
    await bench.pass(10)
    bench.wants(4)
    bench.faults.listing = () => ({ instances: [], complete: true })
    await bench.pass(10 * 60)
    expect(codesOf(bench)).toEqual(['FOREIGN_WRITER'])
    expect(bench.calls.launches).toEqual([])
    vm.visibleAt = Number.POSITIVE_INFINITY
    await bench.pass(3 * 60)
    expect(codesOf(bench)).toEqual([])
    expect(bench.calls.launches).toHaveLength(1)
  })

  it('are looked up by id once a minute, not at each listing, until they are known to be gone', async () => {
    const bench = await startSettled()
    foreignVm(bench)
    await bench.pass(10)
    const asked: number[] = []
    bench.faults.finding = (instances) => {
      asked.push(bench.now())
      return instances
    }
    bench.cloud.instances.clear()
    await bench.pass(5 * 60)
    expect(codesOf(bench)).toEqual([])
    expect(asked).toHaveLength(2)
    expect(asked[1]! - asked[0]!).toBeGreaterThanOrEqual(minute)
  })

  it('no longer stop the pool once they have ended', async () => {
    const bench = await startSettled()
    bench.faults.lingersFor = () => 60 * minute
    const vm = bench.cloud.instances.get(foreignVm(bench))!
    await bench.pass(10)
    expect(codesOf(bench)).toEqual(['FOREIGN_WRITER'])
    endInstance(bench.cloud, vm, 'by its owner')
    await bench.pass(10)
    expect(codesOf(bench)).toEqual([])
  })

  it('count against max_instances once they are adopted, although the next listing leaves one out', async () => {
    const bench = await startSettled({ maxInstances: 2 })
    const ids = [foreignVm(bench), foreignVm(bench)]
    await bench.pass(10)
    bench.faults.listing = (all) => ({ instances: all.filter(({ id }) => id !== ids[0]), complete: true })
    await bench.fleet.adopt()
    bench.wants(4, 4, 4)
    await bench.pass(5 * 60)
    expect(bench.calls.launches).toEqual([])
    bench.faults.listing = (instances) => ({ instances, complete: true })
    await bench.pass(30)
    expect(bench.fleet.status().live).toBe(2)
    expect(codesOf(bench)).not.toContain('FOREIGN_WRITER')
    expect(bench.calls.launches).toEqual([])
  })

  it('are known after a restart, although listings leave one out when the others are adopted', async () => {
    const bench = await startSettled({ maxInstances: 2 })
    const ids = [foreignVm(bench), foreignVm(bench)]
    await bench.pass(10)
    bench.life.kill()
    bench.faults.listing = (all) => ({ instances: all.filter(({ id }) => id !== ids[0]), complete: true })
    bench.restart()
    await bench.pass(10)
    await bench.fleet.adopt()
    bench.wants(4, 4, 4)
    await bench.pass(60)
    expect(bench.calls.launches).toEqual([])
  })

  it('count as foreign also when their writer is not known', async () => {
    const bench = await startSettled()
    delete bench.cloud.instances.get(foreignVm(bench))!.instance.writerId
    await bench.pass(10)
    expect(codesOf(bench)).toEqual(['FOREIGN_WRITER'])
    await bench.fleet.adopt()
    await bench.pass(10)
    expect(codesOf(bench)).toEqual([])
  })
})

describe('a copy of the state folder that runs beside the original', () => {
  it('treats earlier launches as its own, and is blocked by what the original launches later', async () => {
    const bench = await startSettled({ maxInstances: 4, minInstances: 1 })
    await bench.pass(20)
    bench.life.kill()
    bench.restart({
      owner: { ...owner, writerId: 'copy' },
      ownWriters: new Set([owner.writerId, 'copy']),
    })
    await bench.pass(20)
    expect(codesOf(bench)).not.toContain('FOREIGN_WRITER')
    // The original continues with the name that both know.
    const goesOn = foreignVm(bench, owner.writerId)
    await bench.pass(20)
    expect(codesOf(bench)).toContain('FOREIGN_WRITER')
    expect(bench.fleet.knows(goesOn)).toBe(false)
    await bench.fleet.adopt()
    await bench.pass(20)
    expect(codesOf(bench)).not.toContain('FOREIGN_WRITER')
    expect(bench.fleet.knows(goesOn)).toBe(true)
  })
})
