import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createFlow } from '../../../../src/standalone/protocol/connection.ts'

const limit = { messages: 10, bytes: 1000, burstSeconds: 2 }

it('lets a burst through, and then as much as the rate allows', () => {
  const flow = createFlow(limit, 0)
  const waits = Array.from({ length: 22 }, () => flow.take(1, 0))
  expect(waits.slice(0, 20)).toEqual(Array(20).fill(0))
  expect(waits.slice(20)).toEqual([100, 200])
  expect(flow.take(1, 300)).toBe(0)
  expect(flow.take(1, 300)).toBe(100)
})

it('counts bytes where these are the greater cost', () => {
  const flow = createFlow(limit, 0)
  expect(flow.take(2000, 0)).toBe(0)
  expect(flow.take(500, 0)).toBe(500)
})

it('saves no more than the burst, and a clock that goes back gives nothing', () => {
  const flow = createFlow(limit, 0)
  expect(flow.take(2000, 3_600_000)).toBe(0)
  expect(flow.take(100, 3_600_000)).toBe(100)
  expect(flow.take(1, 0)).toBe(200)
})

it('whoever waits as told never gets more than burst and rate', () => {
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
