// A pool whose location was changed starts without memory of its instances, but an order to pause it stays in force.
import { expect, it } from 'vitest'
import { codesOf, startBench } from '../../support/pool-bench.ts'

it.each([
  [true, 0],
  [false, 1],
])('a pool that was paused (%j) before it was moved launches as it should', async (isPaused, launched) => {
  const bench = await startBench({ minInstances: 1 })
  bench.life.kill()
  bench.restart({ locationKey: 'here' })
  await bench.pass(100)
  expect(bench.ids()).toHaveLength(1)
  if (isPaused) await bench.fleet.pause()
  await bench.pass(70)
  bench.life.kill()
  // The new location shows nothing of the old one.
  bench.cloud.instances.clear()
  bench.restart({ locationKey: 'there' })
  await bench.pass(200)
  expect(bench.ids()).toHaveLength(launched)
})

it('a pool that was moved launches nothing before listings have shown what exists at its new location', async () => {
  const bench = await startBench({ minInstances: 1 })
  bench.life.kill()
  bench.restart({ locationKey: 'here' })
  await bench.pass(100)
  bench.life.kill()
  bench.cloud.instances.clear()
  bench.restart({ locationKey: 'there' })
  await bench.pass(40)
  expect(bench.ids()).toEqual([])
  expect(codesOf(bench)).toEqual(['JOURNAL_MISSING'])
  await bench.pass(40)
  expect(bench.ids()).toHaveLength(1)
})
