import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createFlow } from '../../../../src/standalone/protocol/connection.ts'

const limit = { messages: 10, bytes: 1000, burstSeconds: 2 }

it('allows a burst, and then the rate', () => {
  const flow = createFlow(limit, 0)
  const waits = Array.from({ length: 22 }, () => flow.take(1, 0))
  expect(waits.slice(0, 20)).toEqual(Array(20).fill(0))
  expect(waits.slice(20)).toEqual([100, 200])
  expect(flow.take(1, 300)).toBe(0)
  expect(flow.take(1, 300)).toBe(100)
})

it('limits bytes if they cost more than messages', () => {
  const flow = createFlow(limit, 0)
  expect(flow.take(2000, 0)).toBe(0)
  expect(flow.take(500, 0)).toBe(500)
})

it('never exceeds the burst, and a clock set back adds nothing', () => {
  const flow = createFlow(limit, 0)
  expect(flow.take(2000, 3_600_000)).toBe(0)
  expect(flow.take(100, 3_600_000)).toBe(100)
  expect(flow.take(1, 0)).toBe(200)
})

it('a reader that waits as required never exceeds burst and rate', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3000), { maxLength: 50 }), (sizes) => {
      const flow = createFlow(limit, 0)
      let now = 0
      let bytes = 0
      for (const size of sizes) {
        now += flow.take(size, now)
        bytes += size
      }
      expect(bytes).toBeLessThanOrEqual(limit.bytes * (limit.burstSeconds + now / 1000) + 1)
    }),
  )
})
