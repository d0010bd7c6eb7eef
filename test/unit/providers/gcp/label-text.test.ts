// Any pool name becomes a label and comes back.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { labelOf, textOfLabel } from '../../../../src/providers/gcp/labels.ts'

describe('text as a label', () => {
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

  it('is always a label Google Cloud takes, and reads back as long as it fits', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (text) => {
        const label = labelOf(text)
        expect(label).toMatch(/^[a-z0-9_-]{0,63}$/)
        expect([text, undefined]).toContain(textOfLabel(label))
        if ([...Buffer.from(text)].length <= 21) expect(textOfLabel(label)).toBe(text)
      }),
    )
  })

  it('is never shared by two texts', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 90 }), fc.string({ maxLength: 90 }), (one, other) => {
        expect(labelOf(one) === labelOf(other)).toBe(one === other)
      }),
    )
    const long = 'x'.repeat(70)
    expect(labelOf(`${long}1`)).not.toBe(labelOf(`${long}2`))
  })

  it('ends in a hash when it is too long, and says so by not reading back', () => {
    const label = labelOf('Pool'.repeat(30))
    expect(label).toMatch(/_h[a-z2-7]{16}$/)
    expect(label.length).toBeLessThanOrEqual(63)
    expect(textOfLabel(label)).toBeUndefined()
  })

  it('of someone else does not read back', () => {
    for (const label of ['Not-a-label', 'a_', '_zz', '_c3', '_41bc_5f', '_61'])
      expect(textOfLabel(label)).toBeUndefined()
  })
})
