// A launch that waits long before it is sent, and takes effect after its deadline: it counts until listings had time to show it.
import { expect, it } from 'vitest'
import type { LaunchOrder } from '../../../src/providers/index.ts'
import { simulatedProvider } from '../../../src/simulator/provider.ts'
import { owner, startSettled } from '../../support/pool-bench.ts'

it('a launch counts until its last call had two minutes to take effect, however late that was sent', async () => {
  const bench = await startSettled({ maxInstances: 1, minInstances: 0 })
  const provider = simulatedProvider(bench.cloud, owner)
  const orders: number[] = []
  const effect = Promise.withResolvers<void>()
  bench.life.kill()
  bench.restart({
    provider: {
      ...provider,
      async launch(order: LaunchOrder, signal?: AbortSignal) {
        orders.push(bench.now())
        if (orders.length > 1) return provider.launch(order, signal)
        // Calls of many pools were sent before it; its response is lost, and it takes effect at the end of the two minutes.
        await effect.promise
        return provider.launch(order)
      },
    },
  })
  await bench.pass(70)
  bench.wants(4)
  await bench.pass(5)
  expect(orders).toHaveLength(1)
  // It must not be repeated: the request has changed.
  bench.material = { ...bench.material, version: '2' } as typeof bench.material
  await bench.pass(460)
  expect(orders).toHaveLength(1)
  effect.resolve()
  await bench.pass(600)
  expect(orders).toHaveLength(1)
  expect(bench.cloud.instances.size).toBe(1)
})
