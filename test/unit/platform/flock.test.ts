// The shell that holds a lock for us; test/tools/cli holds it against Python's.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { withFlock } from '../../../src/platform/locks.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flock-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(dir, { recursive: true, force: true })
})

describe('work under a lock', () => {
  it('is done, and what it returns or throws comes out', async () => {
    const file = join(dir, 'lock')
    expect(await withFlock(file, () => 7)).toBe(7)
    const thrown = withFlock(file, () => {
      throw new Error('of the work')
    })
    await expect(thrown).rejects.toThrow('of the work')
    expect(await withFlock(file, () => 8)).toBe(8)
    expect(readdirSync(dir)).toEqual(['lock'])
  })

  it('is done also where this machine has no means to take one', async () => {
    vi.stubEnv('PATH', dir)
    expect(await withFlock(join(dir, 'lock'), () => 7)).toBe(7)
  })
})
