// A copy of a state folder that is started elsewhere, and a backup of it that is restored: instances launched under
// names that
// the folder does not know are those of another provisioner.
import { expect, it } from 'vitest'
import { withAdopted, writersOf } from '../../../src/fleet/own-writers.ts'
import { codesOf, owner, startSettled } from '../../support/pool-bench.ts'

const as = (life: number, own: readonly number[]) => ({
  owner: { ...owner, writerId: `writer-${life}` },
  ownWriters: new Set(['writer', ...own.map((n) => `writer-${n}`)]),
})

it('a later start of the same folder manages what earlier ones launched', async () => {
  const bench = await startSettled()
  bench.wants(4)
  await bench.pass(5)
  for (const life of [1, 2]) {
    bench.life.kill()
    bench.restart(as(life, life === 1 ? [1] : [1, 2]))
    await bench.pass(20)
    bench.wants(...Array(life + 1).fill(4))
    await bench.pass(10)
    expect(bench.ids()).toHaveLength(life + 1)
  }
  expect(bench.calls.launches.map(({ owner: by }) => by.writerId)).toEqual(['writer', 'writer-1', 'writer-2'])
  expect(bench.fleet.status().foreignWriters).toEqual([])
})

it('a launch of unknown outcome is repeated with the same request', async () => {
  const bench = await startSettled()
  bench.faults.fate = (call) => (call === 'launch' ? 'silent' : 'done')
  bench.wants(4)
  await bench.pass(5)
  bench.life.kill()
  bench.faults.fate = () => 'done'
  bench.restart(as(1, [1]))
  await bench.pass(60)
  const [first, ...again] = bench.calls.launches
  expect(again[0]).toEqual(first)
  expect(bench.ids()).toHaveLength(1)
})

it('instances launched by a clone block the original until they are adopted', async () => {
  const bench = await startSettled()
  bench.life.kill()
  bench.restart(as(2, [1, 2]))
  await bench.pass(20)
  bench.wants(4)
  await bench.pass(5)
  bench.life.kill()
  bench.disk.erase()
  bench.restart(as(1, [1]))
  await bench.pass(90)
  bench.wants(4, 4)
  await bench.pass(30)
  expect(codesOf(bench)).toEqual(['FOREIGN_WRITER'])
  expect(bench.calls.launches).toHaveLength(1)
  expect(bench.calls.terminated).toEqual([])
  expect(await bench.fleet.adopt()).toEqual(['writer-2'])
  await bench.pass(30)
  expect(codesOf(bench)).not.toContain('FOREIGN_WRITER')
})

it('with a shared database, instances of a start that the database has lost are managed, also those launched later', async () => {
  const bench = await startSettled()
  bench.life.kill()
  bench.restart(as(2, [1, 2]))
  await bench.pass(20)
  bench.wants(4)
  await bench.pass(5)
  bench.life.kill()
  // The database goes back: the journal and the name of the second start are lost.
  bench.disk.erase()
  const shared = { isShared: true }
  const own = withAdopted(writersOf('writer', ['writer-1'], shared), new Set(['stranger']))
  bench.restart({ ...as(1, [1]), ownWriters: own })
  await bench.pass(90)
  bench.wants(4)
  await bench.pass(30)
  expect(codesOf(bench)).toEqual([])
  expect(bench.calls.launches).toHaveLength(1)
  expect(bench.fleet.status().instances.map(({ id }) => id)).toEqual(bench.ids())
  expect(['writer', 'writer-2', 'stranger', 'writer2-1', ''].map((writer) => own.has(writer))).toEqual([
    ...[true, true, true, false, false],
  ])
  expect(['writer-2', 'stranger', 'writer2-1'].map((writer) => own.shares?.(writer))).toEqual([
    true,
    false,
    false,
  ])
})
