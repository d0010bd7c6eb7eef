import { describe, expect, it } from 'vitest'
import { fileNameOf } from '../../../src/platform/files.ts'

describe('the file name of a pool', () => {
  it.each([
    ['gpu', 'gpu'],
    ['my pool', 'my%20pool'],
    ['a/../b', 'a%2F..%2Fb'],
    ['größe', 'gr%C3%B6%C3%9Fe'],
  ])('is its name if possible: %s', (pool, name) => expect(fileNameOf(pool)).toBe(name))

  it.each([['.'], ['..']])('is never in another folder: %s', (pool) => {
    expect(fileNameOf(pool)).not.toMatch(/^\.+$/)
    expect(decodeURIComponent(fileNameOf(pool))).toBe(pool)
  })

  it('fits a file system with any suffix, and distinguishes long names', () => {
    const names = ['a', 'b'].map((last) => fileNameOf('ü'.repeat(255) + last))
    for (const name of names) expect(name.length).toBeLessThanOrEqual(200)
    expect(names[0]).not.toBe(names[1])
  })
})
