// A VM that the cloud refuses to terminate (EC2's termination protection): it is reported, retried with growing pauses,
// and does not affect the others.
import { expect, it } from 'vitest'
import { problem } from '../../../src/problems/index.ts'
import { simulatedProvider } from '../../../src/simulator/provider.ts'
import { minute } from '../../support/planner.ts'
import { owner, type PoolBench, problemsOf, startSettled } from '../../support/pool-bench.ts'

/** From now on the cloud refuses to terminate these VMs. Returns the ids of each requested termination. */
function protect(bench: PoolBench, guarded: Set<string>): string[][] {
  const asked: string[][] = []
  const provider = simulatedProvider(bench.cloud, owner)
  bench.life.kill()
  bench.restart({
    provider: {
      ...provider,
      async terminate(ids, signal) {
        asked.push(ids)
        const result = await provider.terminate(
          ids.filter((id) => !guarded.has(id)),
          signal,
        )
        const refused = problem('PROVIDER_CONFIG', 'the VM is protected')
        for (const id of ids)
          if (guarded.has(id)) result.failures.push({ id, class: 'config', problem: refused })
        return result
      },
    },
  })
  return asked
}

it('is requested less and less often, and does not delay the termination of others', async () => {
  const bench = await startSettled({ maxIdle: 10 * minute })
  bench.wants(4, 4)
  await bench.pass(5)
  const [first, second] = bench.ids() as [string, string]
  const guarded = new Set([first])
  const asked = protect(bench, guarded)
  bench.wants()
  bench.joins(first)
  await bench.pass(4 * 60)
  bench.joins(second)
  await bench.pass(7 * 60)
  expect(asked.flat()).toContain(first)
  expect(problemsOf(bench)).toContain('PROVIDER_CONFIG')

  await bench.pass(4 * 60)
  expect(bench.cloud.instances.get(second)?.endedAt).toBeDefined()
  await bench.pass(6 * 60 * 60)
  const calls = asked.filter((ids) => ids.includes(first)).length
  expect(calls).toBeGreaterThan(8)
  expect(calls).toBeLessThan(14)

  guarded.clear()
  await bench.pass(80 * 60)
  expect(bench.cloud.instances.get(first)?.endedAt).toBeDefined()
})

it('is not reported as decided while its next try waits, when others are terminated', async () => {
  const bench = await startSettled({ maxIdle: 2 * minute })
  bench.wants(4, 4)
  await bench.pass(5)
  const [first, second] = bench.ids() as [string, string]
  const asked = protect(bench, new Set([first]))
  bench.wants()
  bench.joins(first)
  for (let n = 0; n < 300 && asked.length === 0; n++) await bench.pass(1)
  bench.events.length = 0
  await bench.fleet.remove([second], 'even_if_busy')
  await bench.pass(5)
  expect(asked).toEqual([[first], [second]])
  const decided = bench.events.filter((event) => event.kind === 'decided' && event.move === 'terminate')
  expect(decided).toMatchObject([{ ids: [second], count: 1, reason: { code: 'ORDERED' } }])
})
