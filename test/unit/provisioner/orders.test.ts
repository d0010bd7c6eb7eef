// Orders right after a start or a take-over, while pools are being started.
import { describe, expect, it } from 'vitest'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import { createOrders } from '../../../src/provisioner/orders.ts'
import type { RunningPools } from '../../../src/provisioner/pools.ts'
import type { RunningPool } from '../../../src/provisioner/running-pool.ts'
import { createVirtualClock } from '../../../src/simulator/virtual-clock.ts'

/** A pool that runs after `startsAfter` milliseconds, and is listed `listedAfter` milliseconds later. */
function world(startsAfter: number, listedAfter: number) {
  const clock = createVirtualClock(0)
  const done: string[] = []
  const fleet = {
    listed: (ms: number) => clock.sleep(Math.min(ms, listedAfter)),
    launch(count: number) {
      done.push(`launch ${count} at ${clock.now()}`)
      return 'intent'
    },
    launchWritten: async () => {},
    async pause() {
      done.push(`pause at ${clock.now()}`)
    },
  }
  const isStarted = () => clock.now() >= startsAfter
  const running = {
    starting: () => (isStarted() ? [] : ['gpu']),
    get(pool: string) {
      if (pool !== 'gpu') throw new ProvisionError(problem('POOL_UNKNOWN', 'none'))
      if (!isStarted()) throw new ProvisionError(problem('POOL_NOT_RUNNING', 'it is being started'))
      return { fleet } as unknown as RunningPool
    },
    all: () => [],
  } as unknown as RunningPools
  const orders = createOrders({ running, orphans: () => undefined, clock })
  const settled = async <T>(order: Promise<T>) => {
    let result: unknown
    order.then(
      (value) => (result = value ?? 'done'),
      (error: ProvisionError) => (result = `${error.code} at ${clock.now()}`),
    )
    await clock.run(() => result !== undefined)
    return result
  }
  return { orders, done, settled, clock }
}

describe('an order for a pool that is being started', () => {
  it('waits until it runs; a launch also for the first listing', async () => {
    const { orders, done, settled } = world(1_000, 2_000)
    expect(await settled(orders.launch('gpu', 2))).toBe('intent')
    expect(done).toEqual(['launch 2 at 3000'])
    const other = world(1_000, 2_000)
    expect(await other.settled(other.orders.pause('gpu'))).toBe('done')
    expect(other.done).toEqual(['pause at 1000'])
  })

  it('waits no longer than clients do, all in all', async () => {
    const { orders, done, settled } = world(3_000, 60_000)
    expect(await settled(orders.launch('gpu', 1))).toBe('intent')
    expect(done).toEqual(['launch 1 at 5000'])
    const never = world(60_000, 0)
    expect(await never.settled(never.orders.launch('gpu', 1))).toBe('POOL_NOT_RUNNING at 5000')
    expect(await never.settled(never.orders.begun())).toBe('done')
    expect(never.clock.now()).toBe(10_000)
  })

  it('waits for no other pool', async () => {
    const { orders, settled } = world(60_000, 0)
    expect(await settled(orders.launch('none', 1))).toBe('POOL_UNKNOWN at 0')
  })
})
