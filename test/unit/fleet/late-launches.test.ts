// A launch that waits long before it is sent, and takes effect after its deadline: it counts until listings had time to show it.
import { describe, expect, it } from 'vitest'
import { isShown, settle } from '../../../src/fleet/launch.ts'
import { emptyMemory, type OpenIntent } from '../../../src/fleet/memory.ts'
import { createRun } from '../../../src/fleet/run.ts'
import type { LaunchOrder } from '../../../src/providers/index.ts'
import { simulatedProvider } from '../../../src/simulator/provider.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { minute, now } from '../../support/planner.ts'
import { owner, startSettled } from '../../support/pool-bench.ts'

const userData = userDataOf('first')

/** A launch of unknown outcome that was sent `now`. */
function sent(id: string): OpenIntent {
  const whole = { id, at: now, count: 1, offerings: [], sha256: userData.sha256, version: '1' }
  const state = { sending: false, doubtful: true, seen: new Set<string>() }
  return { ...whole, ...state, lastSentAt: now, retryAt: now, listAfter: now }
}

describe('a launch of unknown outcome', () => {
  it('is shown by listings a minute apart, the first begun two minutes after it was last sent', () => {
    const intent = sent('a')
    const memory = emptyMemory()
    const isShownBy = (completeAt: number, complete = true) => {
      memory.listing = { completeAt, took: 0, complete }
      return isShown(intent, memory, false)
    }
    expect(isShownBy(now + 2 * minute - 1)).toBe(false)
    expect(isShownBy(now + 2 * minute, false)).toBe(false)
    expect(intent.settle).toBeUndefined()
    expect(isShownBy(now + 2 * minute)).toBe(false)
    expect(isShownBy(now + 3 * minute - 1)).toBe(false)
    expect(isShownBy(now + 3 * minute)).toBe(true)
  })

  it('is not shown while listings bring more of its VMs to light', () => {
    const intent = { ...sent('a'), count: 3 }
    const memory = emptyMemory()
    const isShownAt = (completeAt: number) => {
      memory.listing = { completeAt, took: 0, complete: true }
      return isShown(intent, memory, false)
    }
    expect(isShownAt(now + 2 * minute)).toBe(false)
    intent.seen.add('i-1')
    expect(isShownAt(now + 3 * minute)).toBe(false)
    expect(isShownAt(now + 4 * minute - 1)).toBe(false)
    expect(isShownAt(now + 4 * minute)).toBe(true)
  })

  it('leaves no user data in the memory when no other launch needs it', async () => {
    const bench = await startSettled()
    const run = createRun(bench.deps, bench.settings, () => {})
    const intents = [sent('a'), sent('b')] as const
    for (const intent of intents) run.memory.intents.set(intent.id, intent)
    run.memory.userData.set(userData.sha256, userData)
    settle(run, intents[0])
    expect([...run.memory.userData.keys()]).toEqual([userData.sha256])
    settle(run, intents[1])
    expect(run.memory.userData.size).toBe(0)
  })
})

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
