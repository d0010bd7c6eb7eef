// Any pool name can be encoded as a label and decoded again.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { labelOf, textOfLabel } from '../../../../src/providers/gcp/labels.ts'

describe('a string as a label', () => {
  it.each([
    ['gpu-pool-1', 'gpu-pool-1'],
    ['gpu_pool', 'gpu__pool'],
    ['GPU pool 1.5', '_47_50_55_20pool_201_2e5'],
    ['größe', 'gr_c3_b6_c3_9fe'],
    ['', ''],
  ])('%j is %j', (text, label) => {
    expect(labelOf(text)).toBe(label)
    expect(textOfLabel(label)).toBe(text)
  })

  it('is always a label that Google Cloud accepts, and can be decoded as long as it fits', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (text) => {
        const label = labelOf(text)
        expect(label).toMatch(/^[a-z0-9_-]{0,63}$/)
        expect([text, undefined]).toContain(textOfLabel(label))
        if ([...Buffer.from(text)].length <= 21) expect(textOfLabel(label)).toBe(text)
      }),
    )
  })

  it('is never the same for two strings', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 90 }), fc.string({ maxLength: 90 }), (one, other) => {
        expect(labelOf(one) === labelOf(other)).toBe(one === other)
      }),
    )
    const long = 'x'.repeat(70)
    expect(labelOf(`${long}1`)).not.toBe(labelOf(`${long}2`))
  })

  it('ends in a hash when it is too long, and then cannot be decoded', () => {
    const label = labelOf('Pool'.repeat(30))
    expect(label).toMatch(/_h[a-z2-7]{16}$/)
    expect(label.length).toBeLessThanOrEqual(63)
    expect(textOfLabel(label)).toBeUndefined()
  })

  it('of another program cannot be decoded', () => {
    for (const label of ['Not-a-label', 'a_', '_zz', '_c3', '_41bc_5f', '_61'])
      expect(textOfLabel(label)).toBeUndefined()
  })
})
