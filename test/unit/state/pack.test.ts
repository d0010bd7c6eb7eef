// A large value as bytes and back: the same value, and other work runs meanwhile.
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { packed, unpacked } from '../../../src/state/exchange/pack.ts'

const long = fc.array(fc.jsonValue({ maxDepth: 1 }), { minLength: 240, maxLength: 760 })
const values = fc.record(
  { list: fc.oneof(long, fc.array(fc.jsonValue())), inside: fc.record({ list: long, any: fc.jsonValue() }) },
  { requiredKeys: [] },
)

it('a value is the same after packing and unpacking', async () => {
  await fc.assert(
    fc.asyncProperty(values, async (value) => {
      expect(await unpacked(await packed(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
    { numRuns: 40 },
  )
})

it('bytes of another origin are an error, never half a value', async () => {
  await expect(unpacked(new Uint8Array([1, 2, 3]))).rejects.toThrow()
  await expect(unpacked(gzipSync('{"list":'))).rejects.toThrow()
  await expect(unpacked(gzipSync('{}\n{"at":["list"],"items":[1]}'))).rejects.toThrow('no list at list')
  await expect(unpacked(gzipSync('{"a":1}\n{"at":["b","c"],"items":[1]}'))).rejects.toThrow()
})

it('the event loop is held for a few milliseconds at a time', async () => {
  const instances = Array.from({ length: 20_000 }, (_, n) => ({
    id: `i-${n}`,
    zone: 'a',
    launchedAt: n,
    busy: true,
  }))
  let turns = 0
  let isDone = false
  const count = () => {
    turns++
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  const bytes = await packed({ instances })
  const whilePacking = turns
  expect(await unpacked(bytes)).toEqual({ instances })
  isDone = true
  expect(whilePacking).toBeGreaterThan(3)
  expect(turns - whilePacking).toBeGreaterThan(3)
})
