import { describe, expect, it } from 'vitest'
import { derivedName, derivedUuid } from '../../../src/platform/derived-id.ts'

describe('ids derived from words', () => {
  it('are the same for the same words, on every machine', () => {
    expect(derivedUuid('intent', 'bulkInsert', '0')).toBe('7d274c09-5883-504f-b7de-055bd49dac0b')
    expect(derivedName(12, 'intent', '0')).toBe('isb6aadmgris')
  })

  it('are UUIDs of version 5', () => {
    for (const word of ['', 'a', 'b', 'c'])
      expect(derivedUuid(word)).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      )
  })

  it('differ with any word', () => {
    const words = [['a'], ['b'], ['a', '0'], ['a', '1'], ['a', '0', '0']]
    expect(new Set(words.map((each) => derivedUuid(...each))).size).toBe(words.length)
    expect(new Set(words.map((each) => derivedName(12, ...each))).size).toBe(words.length)
  })

  it('as names have the length asked for and only letters and digits that names may have', () => {
    expect(derivedName(51, 'a')).toMatch(/^[a-z2-7]{51}$/)
    expect(derivedName(51, 'a').startsWith(derivedName(12, 'a'))).toBe(true)
  })
})
