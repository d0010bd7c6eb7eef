import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDuration, parseDuration } from '../../../src/platform/duration.ts'

describe('a Go duration', () => {
  it.each([
    ['20m', 1_200_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['.5m', 30_000],
    ['5.s', 5000],
    ['100ms', 100],
    ['1us', 0.001],
    ['1µs', 0.001],
    ['3ns', 0.000003],
    ['0', 0],
    ['-2s', -2000],
    ['+2s', 2000],
    ['1m1m', 120_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 9)
  })

  it.each([
    '',
    '5',
    '1d',
    '1w',
    '1,5h',
    ' 5m',
    '5 m',
    '5m ',
    '.s',
    'm',
    '1e3s',
    '--1s',
    '1h-3m',
    '5M',
    'Infinity',
  ])('%j is not a duration', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })

  it.each([
    [0, '0s'],
    [250, '250ms'],
    [1500, '1.5s'],
    [90_000, '1m30s'],
    [1_200_000, '20m'],
    [3_600_000, '1h'],
    [3_661_001, '1h1m1.001s'],
    [-90_000, '-1m30s'],
  ])('%d ms is written %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  it('parses its own output', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e12 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBeCloseTo(ms, 3)
      }),
    )
  })
})
