import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonPieces } from '../../../src/state/stored-json.ts'

describe('the JSON of a value in pieces', () => {
  it('is what JSON.stringify makes of it', () => {
    const withDate = fc.date({ noInvalidDate: true })
    fc.assert(
      fc.property(
        fc.object({ withDate: false, withNullPrototype: true, maxDepth: 4 }),
        withDate,
        (value, date) => {
          const whole = { ...value, date, nothing: undefined, method() {}, list: [undefined, date, [value]] }
          expect([...jsonPieces(whole)].join('')).toBe(JSON.stringify(whole))
        },
      ),
    )
  })

  it('has long arrays cut, also those inside of objects', () => {
    const tracks = Array.from({ length: 10_000 }, (_, n) => ({ id: `i-${n}`, zone: 'a' }))
    const record = { at: 1, memory: { tracks, agents: [] } }
    const pieces = [...jsonPieces(record)]
    expect(pieces.join('')).toBe(JSON.stringify(record))
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(JSON.stringify(record).length / 15)
  })
})
