// Time grows with the size of a file, not with its square: a reload must not stall the provisioner.
import { describe, expect, it } from 'vitest'
import { aws, problemsOf } from './marked.ts'

/** Milliseconds of processor time for `count` wrong keys. */
function timeOf(count: number, line: (n: number) => string): number {
  const text = aws(Array.from({ length: count }, (_, n) => line(n)).join('\n'))
  const before = process.cpuUsage()
  expect(problemsOf(text).length).toBeGreaterThanOrEqual(count)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const lines: Record<string, (n: number) => string> = {
  'unknown keys': (n) => `wrng_key_${n}: 1`,
  'unknown keys with scripts': (n) => `wrng_key_${n}: |\n  a\n  b`,
}

describe('a file with thousands of mistakes', () => {
  it.each(Object.entries(lines))('%s', (_, line) => {
    timeOf(500, line)
    const few = timeOf(1500, line)
    // Five times as many; the square would be 25 times.
    expect(timeOf(7500, line) / few).toBeLessThan(12)
  })
})
