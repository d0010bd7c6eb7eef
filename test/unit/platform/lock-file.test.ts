// The file that names the owner of a folder: while it is fresh, no other process may take it, unless its owner has exited.
import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bootId } from '../../../src/platform/boot.ts'
import type { KernelLock } from '../../../src/platform/flock.ts'
import { staleAfter, takeLock } from '../../../src/platform/locks.ts'

let folder: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'))
  file = join(folder, 'state', 'lock')
  mkdirSync(join(folder, 'state'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const now = () => Date.now()
const take = (kernel?: KernelLock) => takeLock(file, { now, kernel })
/** The kernel lock, as its holder sees it. */
const kernel: KernelLock = { isInPlace: () => true, release() {} }
const exitedPid = 2 ** 22 - 1
const thisMachine = { host: hostname(), boot: bootId(), pidNamespace: namespace() }

function namespace(): string | undefined {
  return process.platform === 'linux' ? readlinkSync('/proc/self/ns/pid') : undefined
}

/** Writes the file like an owner that has exited. */
function leaveBehind(owner: object): void {
  writeFileSync(file, JSON.stringify({ nonce: 'other', pid: 1, start: 'long ago', ...thisMachine, ...owner }))
}

function grow(ms: number): void {
  const at = (Date.now() - ms) / 1000
  utimesSync(file, at, at)
}

describe('the lock', () => {
  it('is held by one process at a time, and the error names it', () => {
    const lock = take()
    expect(lock.isHeld()).toBe(true)
    expect(() => take()).toThrowError(/LOCK_HELD.*process \d+.*last refreshed at \d{4}-/)
    lock.release()
    expect(lock.isHeld()).toBe(false)
    take()
  })

  it('is held against another process', () => {
    take()
    const script = `import { takeLock } from '${join(import.meta.dirname, '../../../src/platform/locks.ts')}'
      try { takeLock(process.argv[1], { now: Date.now }); console.log('taken') } catch (error) { console.log(error.code) }`
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script, file], {
      encoding: 'utf8',
    })
    expect(output.trim()).toBe('LOCK_HELD')
  })

  it.runIf(process.platform === 'linux')('is taken over from an exited process of this namespace', () => {
    leaveBehind({ pid: exitedPid })
    expect(take().isHeld()).toBe(true)
  })

  it.runIf(process.platform === 'linux')('is taken over if the process id belongs to a later process', () => {
    leaveBehind({ pid: process.pid, start: 'another boot/1' })
    expect(take().isHeld()).toBe(true)
  })

  const elsewhere: Record<string, object> = {
    'another host': { host: 'another-host', boot: 'another' },
    'another machine of the same name': { boot: '00000000-0000-4000-8000-000000000000' },
    'a container of the same name on this machine': { pidNamespace: 'pid:[1]' },
    'a version that did not write where it ran': { boot: undefined, pidNamespace: undefined },
  }

  it.each(Object.entries(elsewhere))('is held by an owner in %s until it grows stale', (_, where) => {
    leaveBehind({ pid: exitedPid, ...where })
    expect(() => take()).toThrowError(/LOCK_HELD/)
    grow(staleAfter - 5000)
    expect(() => take()).toThrowError(/LOCK_HELD/)
    grow(staleAfter + 1000)
    expect(take().isHeld()).toBe(true)
  })

  it.each(['', 'not json', '7', '{}', '{"nonce":1}'])(
    'is held when its file contains %j, until it is stale',
    (text) => {
      writeFileSync(file, text)
      expect(() => take()).toThrowError(/another process holds/)
      grow(staleAfter + 1000)
      expect(take().isHeld()).toBe(true)
    },
  )

  it('is refreshed by each beat', () => {
    let time = Date.now() - 2 * staleAfter
    const lock = takeLock(file, { now: () => time })
    const age = () => Date.now() - statSync(file).mtimeMs
    lock.beat()
    expect(age()).toBeGreaterThan(staleAfter)
    time = Date.now()
    lock.beat()
    expect(age()).toBeLessThan(staleAfter)
  })

  it('is not held by a process that lost it, and not released by it', () => {
    const lost = take()
    rmSync(file)
    const lock = take()
    expect([lost.isHeld(), lock.isHeld()]).toEqual([false, true])
    lost.release()
    expect(lock.isHeld()).toBe(true)
  })

  it('leaves no other files', () => {
    leaveBehind({})
    grow(staleAfter + 1000)
    take()
    expect(readdirSync(join(folder, 'state'))).toEqual(['lock'])
  })
})

describe('with the kernel lock', () => {
  it('it is taken at once from an owner of this machine that had the kernel lock too', () => {
    leaveBehind({ kernel: true, pidNamespace: 'pid:[1]' })
    expect(take(kernel).isHeld()).toBe(true)
  })

  it.each([
    { kernel: false, pidNamespace: 'pid:[1]' },
    { kernel: true, boot: 'another', host: 'another-host' },
  ])('it is not taken from one that may run without it: %j', (owner) => {
    leaveBehind(owner)
    expect(() => take(kernel)).toThrowError(/LOCK_HELD/)
  })

  it('it is taken at once if the file names no owner', () => {
    writeFileSync(file, '')
    expect(take(kernel).isHeld()).toBe(true)
  })

  it('an emptied or removed file is still held, and is written again', () => {
    const lock = take(kernel)
    const before = readFileSync(file, 'utf8')
    for (const spoil of [() => truncateSync(file), () => rmSync(file)]) {
      spoil()
      expect(lock.isHeld()).toBe(true)
      lock.beat()
      expect(readFileSync(file, 'utf8')).toBe(before)
    }
  })

  it('it is lost if the lock file was replaced, or another process took it over', () => {
    let isInPlace = true
    const lock = take({ ...kernel, isInPlace: () => isInPlace })
    leaveBehind({})
    expect(lock.isHeld()).toBe(false)
    rmSync(file)
    expect(lock.isHeld()).toBe(true)
    isInPlace = false
    expect(lock.isHeld()).toBe(false)
  })
})
