import { describe, expect, it } from 'vitest'
import { derivedName, derivedUuid } from '../../../src/platform/derived-id.ts'

describe('derived ids', () => {
  it('are the same for the same parts, on every machine', () => {
    expect(derivedUuid('intent', 'bulkInsert', '0')).toBe('7d274c09-5883-504f-b7de-055bd49dac0b')
    expect(derivedName(12, 'intent', '0')).toBe('isb6aadmgris')
  })

  it('are UUIDs of version 5', () => {
    for (const part of ['', 'a', 'b', 'c'])
      expect(derivedUuid(part)).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      )
  })

  it('differ if any part differs', () => {
    const parts = [['a'], ['b'], ['a', '0'], ['a', '1'], ['a', '0', '0']]
    expect(new Set(parts.map((each) => derivedUuid(...each))).size).toBe(parts.length)
    expect(new Set(parts.map((each) => derivedName(12, ...each))).size).toBe(parts.length)
  })

  it('as names have the given length and only valid letters and digits', () => {
    expect(derivedName(51, 'a')).toMatch(/^[a-z2-7]{51}$/)
    expect(derivedName(51, 'a').startsWith(derivedName(12, 'a'))).toBe(true)
  })
})
