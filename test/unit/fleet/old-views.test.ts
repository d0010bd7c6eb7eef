// Old views: a machine that was suspended in the middle of a read, and answers that arrive out of order.
import { expect, it } from 'vitest'
import { emptyMemory } from '../../../src/fleet/memory.ts'
import { observeListing } from '../../../src/fleet/observe.ts'
import type { Instance, InstanceState } from '../../../src/planner/snapshot.ts'
import { minute, now, second } from '../../support/planner.ts'
import { codesOf, startSettled } from '../../support/pool-bench.ts'

it('a view of the master that was read across a suspension is not acted on', async () => {
  const bench = await startSettled({ maxInstances: 2 })
  bench.life.kill()
  let isSuspended = false
  const read: typeof bench.source.read = async (pool) => {
    const demand = await bench.source.read(pool)
    if (isSuspended || demand.pending.length === 0) return demand
    isSuspended = true
    bench.life.suspend()
    return demand
  }
  bench.restart({ demand: { ...bench.source, read } })
  await bench.pass(10)
  bench.wants(4)
  await bench.pass(4 * 60)
  bench.wants()
  bench.master.down = true
  bench.life.resume()
  await bench.pass(1)
  expect(codesOf(bench)).toContain('DEMAND_MISSING')
  await bench.pass((3 * minute) / 1000)
  expect(bench.calls.launches).toEqual([])
  bench.master.down = false
  bench.wants(4)
  await bench.pass(20)
  expect(bench.calls.launches).toHaveLength(1)
})

it('a listing that was read across a suspension is read again', async () => {
  const bench = await startSettled({ maxInstances: 2 })
  bench.faults.fate = (call) => {
    if (call === 'list') bench.life.suspend()
    return 'done'
  }
  await bench.pass(20 * 60)
  bench.faults.fate = (call) => (call === 'list' ? 'failed' : 'done')
  bench.life.resume()
  bench.wants(4)
  await bench.pass(3 * 60)
  expect(codesOf(bench)).toContain('LISTING_MISSING')
  expect(bench.calls.launches).toEqual([])
})

it('a view of the master that is older than the one before is ignored', async () => {
  const bench = await startSettled({ maxInstances: 2 })
  bench.life.kill()
  let reads = 0
  let oldest: Awaited<ReturnType<typeof bench.source.read>> | undefined
  const read: typeof bench.source.read = async (pool) => {
    const newest = await bench.source.read(pool)
    oldest ??= { ...newest, pending: [{ id: 'over', slots: 4, since: newest.at }] }
    return ++reads === 3 ? oldest : newest
  }
  bench.restart({ demand: { ...bench.source, read } })
  await bench.pass(60)
  expect(reads).toBeGreaterThan(3)
  expect(bench.calls.launches).toEqual([])
})

it('a view of the master that took long to read is acted on, although it is old when it arrives', async () => {
  const bench = await startSettled({ maxInstances: 2 })
  bench.life.kill()
  const read: typeof bench.source.read = async (pool) => {
    const demand = await bench.source.read(pool)
    await bench.cloud.clock.sleep(20_000)
    return demand
  }
  bench.restart({ demand: { ...bench.source, read } })
  bench.wants(4)
  await bench.pass(2 * 60)
  expect(codesOf(bench)).toEqual([])
  expect(bench.calls.launches).toHaveLength(1)
})

it('an answer of the cloud that was requested before the newest one, and arrives after it, changes no instance', () => {
  const memory = emptyMemory()
  const rules = { writer: 'us', ownWriters: new Set(['us']), visibility: minute, maxWordAge: 15 * second }
  const observe = (state: InstanceState, startedAt: number) => {
    const instance: Instance = {
      ...{ id: 'i1', pool: 'default', state, launchedAt: now - minute, instanceType: 'm4', zone: 'a' },
      ...{ capacityType: 'on_demand', writerId: 'us' },
    }
    const listing = { instances: [instance], complete: true, problems: [] }
    observeListing(memory, listing, startedAt, now + minute, { ...rules, slotsOf: () => 4 })
    return memory.tracks.get('i1')?.state
  }
  expect(observe('running', now)).toBe('running')
  expect(observe('starting', now - second)).toBe('running')
  expect(observe('stopped', now + second)).toBe('stopped')
})
