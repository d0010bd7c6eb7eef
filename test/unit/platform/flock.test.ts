// The shell that holds a lock for this process; test/tools/cli tests it against Python's.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { takeKernelLock, withFlock } from '../../../src/platform/flock.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flock-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(dir, { recursive: true, force: true })
})

describe('work under a lock', () => {
  it('is run, and its result or error is passed on', async () => {
    const file = join(dir, 'lock')
    expect(await withFlock(file, () => 7)).toBe(7)
    const thrown = withFlock(file, () => {
      throw new Error('of the work')
    })
    await expect(thrown).rejects.toThrow('of the work')
    expect(await withFlock(file, () => 8)).toBe(8)
    expect(readdirSync(dir)).toEqual(['lock'])
  })

  it('is run also if this machine supports no lock', async () => {
    vi.stubEnv('PATH', dir)
    expect(await withFlock(join(dir, 'lock'), () => 7)).toBe(7)
  })
})

describe('a lock until the process exits', () => {
  const module = join(import.meta.dirname, '../../../src/platform/flock.ts')
  const file = () => join(dir, 'lock')

  /** A process that takes the lock and waits. */
  async function holder(): Promise<{ output: string; kill: () => Promise<void> }> {
    const script = `import { takeKernelLock } from '${module}'
      const lock = await takeKernelLock(process.argv[1])
      console.log(typeof lock === 'string' ? lock : 'taken')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, file()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [output] = await once(child.stdout, 'data')
    return {
      output: String(output).trim(),
      async kill() {
        child.kill('SIGKILL')
        await once(child, 'exit')
      },
    }
  }

  it('is held by one process at a time, and free at once when that is killed', async () => {
    const first = await holder()
    expect(first.output).toBe('taken')
    expect(await takeKernelLock(file())).toBe('held')
    await first.kill()
    const lock = await takeKernelLock(file())
    expect(lock).toMatchObject({ isInPlace: expect.any(Function) })
    expect(await takeKernelLock(file())).toBe('held')
    if (typeof lock !== 'string') lock.release()
    const again = await holder()
    expect(again.output).toBe('taken')
    await again.kill()
  })

  it('stays after the program that took it, and is not inherited by other children', async () => {
    const lock = await takeKernelLock(file())
    if (typeof lock === 'string') throw new Error(lock)
    const child = spawn('sleep', ['30'], { detached: true, stdio: 'ignore' })
    lock.release()
    const next = await takeKernelLock(file())
    child.kill()
    if (typeof next === 'string') throw new Error(next)
    expect(next.isInPlace()).toBe(true)
    rmSync(file())
    expect(next.isInPlace()).toBe(false)
    next.release()
  })

  it('is taken by Perl without flock', async () => {
    for (const tool of ['sh', 'perl'])
      symlinkSync(execFileSync('which', [tool]).toString().trim(), join(dir, tool))
    vi.stubEnv('PATH', dir)
    const lock = await takeKernelLock(file())
    if (typeof lock === 'string') throw new Error(lock)
    expect(await takeKernelLock(file())).toBe('held')
    lock.release()
  })

  it('is unavailable if this machine supports none', async () => {
    vi.stubEnv('PATH', dir)
    expect(await takeKernelLock(file())).toBe('unavailable')
    symlinkSync('/bin/sh', join(dir, 'sh'))
    expect(await takeKernelLock(file())).toBe('unavailable')
    writeFileSync(join(dir, 'flock'), '#!/bin/sh\necho "flock: 3: No locks available" >&2\nexit 1\n', {
      mode: 0o755,
    })
    expect(await takeKernelLock(file())).toBe('unavailable')
  })

  it('does not wait for a FIFO, and does not follow a link', async () => {
    execFileSync('mkfifo', [file()])
    await expect(takeKernelLock(file())).rejects.toThrow('a FIFO')
    rmSync(file())
    symlinkSync(join(dir, 'elsewhere'), file())
    await expect(takeKernelLock(file())).rejects.toThrow('symbolic link')
  })
})
