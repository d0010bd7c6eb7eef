import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { staleAfter, takeLock } from '../../../src/platform/locks.ts'

let folder: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'))
  file = join(folder, 'state', 'lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const now = () => Date.now()

/** Writes the file as an owner would leave it behind. */
function leaveBehind(owner: object): void {
  takeLock(file, now).release()
  writeFileSync(
    file,
    JSON.stringify({ nonce: 'other', pid: 1, start: 'long ago', host: hostname(), ...owner }),
  )
}

describe('the lock', () => {
  it('is held by one at a time, who is named to the other', () => {
    const lock = takeLock(file, now)
    expect(lock.isHeld()).toBe(true)
    expect(() => takeLock(file, now)).toThrowError(/LOCK_HELD.*process \d+/)
    lock.release()
    expect(lock.isHeld()).toBe(false)
    takeLock(file, now)
  })

  it('is held against another process', () => {
    takeLock(file, now)
    const script = `import { takeLock } from '${join(import.meta.dirname, '../../../src/platform/locks.ts')}'
      try { takeLock(process.argv[1], Date.now); console.log('taken') } catch (error) { console.log(error.code) }`
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', script, file], {
      encoding: 'utf8',
    })
    expect(said.trim()).toBe('LOCK_HELD')
  })

  it('is taken over from a process that is gone', () => {
    leaveBehind({ pid: 2 ** 22 - 1 })
    expect(takeLock(file, now).isHeld()).toBe(true)
  })

  it('is taken over when its process id belongs to a later process', () => {
    leaveBehind({ pid: process.pid, start: 'another boot/1' })
    expect(takeLock(file, now).isHeld()).toBe(true)
  })

  it('is taken over from another host only after a while without a sign of life', () => {
    leaveBehind({ host: 'another-host' })
    expect(() => takeLock(file, now)).toThrowError(/another-host/)
    const long = (Date.now() - staleAfter - 1000) / 1000
    utimesSync(file, long, long)
    expect(takeLock(file, now).isHeld()).toBe(true)
  })

  it('gives a sign of life with each beat', () => {
    let time = Date.now() - 2 * staleAfter
    const lock = takeLock(file, () => time)
    const age = () => Date.now() - statSync(file).mtimeMs
    lock.beat()
    expect(age()).toBeGreaterThan(staleAfter)
    time = Date.now()
    lock.beat()
    expect(age()).toBeLessThan(staleAfter)
  })

  it('is not taken for held by whoever lost it, and not released by them', () => {
    const lost = takeLock(file, now)
    rmSync(file)
    const lock = takeLock(file, now)
    expect([lost.isHeld(), lock.isHeld()]).toEqual([false, true])
    lost.release()
    expect(lock.isHeld()).toBe(true)
  })

  it('is taken over from a file that names nobody', () => {
    takeLock(file, now).release()
    writeFileSync(file, 'not json')
    expect(takeLock(file, now).isHeld()).toBe(true)
  })

  it('leaves nothing else behind', () => {
    leaveBehind({})
    takeLock(file, now)
    expect(readdirSync(join(folder, 'state'))).toEqual(['lock'])
  })
})
