// The addresses of an instance are known only while listings show it with them, and are never written down.
import { describe, expect, it } from 'vitest'
import { poolDetails } from '../../../src/http/pool-view.ts'
import { snapshotFileOf } from '../../../src/provisioner/snapshot-file.ts'
import { endInstance, noFaults } from '../../../src/simulator/cloud.ts'
import { minute } from '../../support/planner.ts'
import { type PoolBench, startSettled } from '../../support/pool-bench.ts'

const first = ['10.0.0.9', '198.51.100.7', '2001:db8::9']

async function benchWith(addresses: readonly string[] = first) {
  const bench = await startSettled({ minInstances: 1, bootTimeout: 60 * minute })
  await bench.pass(10)
  const [id] = bench.ids()
  const vm = bench.cloud.instances.get(id!)!
  vm.instance.addresses = addresses
  bench.joins(id!)
  await bench.pass(10)
  return { bench, vm, id: id! }
}

function trackOf(bench: PoolBench, id: string) {
  return bench.fleet.status().instances.find((track) => track.id === id)
}

describe('the addresses of an instance', () => {
  it('are those of the newest listing', async () => {
    const { bench, vm, id } = await benchWith()
    expect(trackOf(bench, id)?.addresses).toEqual(first)
    vm.instance.addresses = ['10.0.0.10']
    await bench.pass(60)
    expect(trackOf(bench, id)?.addresses).toEqual(['10.0.0.10'])
  })

  it('are unknown once a listing shows it without any, as after its termination', async () => {
    const { bench, vm, id } = await benchWith()
    delete vm.instance.addresses
    await bench.pass(60)
    expect(trackOf(bench, id)).not.toHaveProperty('addresses')
    vm.instance.addresses = first
    await bench.pass(60)
    expect(trackOf(bench, id)?.addresses).toEqual(first)
  })

  it('are unknown while complete listings lack it, and known again when they show it', async () => {
    const { bench, id } = await benchWith()
    bench.faults.listing = () => ({ instances: [], complete: false })
    await bench.pass(60)
    expect(trackOf(bench, id)?.addresses).toEqual(first)
    bench.faults.listing = () => ({ instances: [], complete: true })
    await bench.pass(60)
    expect(bench.fleet.knows(id)).toBe(true)
    expect(trackOf(bench, id)).not.toHaveProperty('addresses')
    bench.faults.listing = noFaults.listing
    await bench.pass(60)
    expect(trackOf(bench, id)?.addresses).toEqual(first)
  })

  it('are not taken from the answer to its launch: only listings show what it has now', async () => {
    const bench = await startSettled({ maxInstances: 1 })
    bench.faults.listing = () => ({ instances: [], complete: true })
    bench.cloud.events.onCreated = ({ instance }) => {
      instance.addresses = first
    }
    bench.wants(4)
    await bench.pass(30)
    const [id] = bench.ids()
    expect(trackOf(bench, id!)).toMatchObject({ listed: false })
    expect(trackOf(bench, id!)).not.toHaveProperty('addresses')
  })

  it('are in no record of the journal, and unknown after a restart until a listing shows them', async () => {
    const { bench, vm, id } = await benchWith()
    const written = [...bench.disk.lines]
    bench.faults.listing = () => ({ instances: [], complete: false })
    bench.restart()
    await bench.pass(60)
    expect(trackOf(bench, id)).not.toHaveProperty('addresses')
    bench.faults.listing = noFaults.listing
    await bench.pass(60)
    expect(trackOf(bench, id)?.addresses).toEqual(first)
    // Without a journal, listings show what exists, which is a record of its own.
    written.push(...bench.disk.lines)
    bench.disk.erase()
    bench.restart()
    await bench.pass(20)
    expect(trackOf(bench, id)?.addresses).toEqual(first)
    written.push(...bench.disk.lines)
    expect(written.some((line) => line.includes('"found"') && line.includes(id))).toBe(true)
    endInstance(bench.cloud, vm, 'it was stopped', 'stopped')
    await bench.pass(60)
    await bench.fleet.stop()
    written.push(...bench.disk.lines)
    expect(written.some((line) => line.includes('"checkpoint"') && line.includes(id))).toBe(true)
    expect(written.join()).not.toMatch(/addresses|10\.0\.0\.9/)
  })

  it('are in no view of the pool', async () => {
    const { bench, id } = await benchWith()
    const status = bench.fleet.status()
    expect(status.snapshot?.instances.find((one) => one.id === id)?.addresses).toEqual(first)
    const view = poolDetails(status, { provider: 'aws', leader: undefined }, snapshotFileOf(status))
    expect(JSON.stringify(view)).toContain(id)
    expect(JSON.stringify(view)).not.toMatch(/addresses|10\.0\.0\.9/)
  })
})
