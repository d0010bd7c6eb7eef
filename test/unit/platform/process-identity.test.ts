import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { processesWith, processStart } from '../../../src/platform/processes.ts'

const onLinux = process.platform === 'linux'
const children: ChildProcess[] = []

function start(env: Record<string, string> = {}): ChildProcess & { pid: number } {
  const child = spawn('sleep', ['60'], { env: { PATH: process.env['PATH'], ...env }, stdio: 'ignore' })
  children.push(child)
  return child as ChildProcess & { pid: number }
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

describe('the start of a process', () => {
  it('stays the same while it runs', () => {
    expect(processStart(process.pid)).toBeDefined()
    expect(processStart(process.pid)).toBe(processStart(process.pid))
  })

  it('differs from that of a process started later', async () => {
    expect(processStart(start().pid)).not.toBe(processStart(process.pid))
  })

  it('is undefined after the process has ended', async () => {
    const child = start()
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(processStart(child.pid)).toBeUndefined()
  })

  it('is undefined for an invalid id', () => {
    expect([0, -1, 1.5, Number.NaN, 2 ** 40].map((pid) => processStart(pid))).toEqual(
      Array(5).fill(undefined),
    )
  })

  it.runIf(onLinux)('is undefined for a zombie', () => {
    const { pid } = start()
    process.kill(pid, 'SIGKILL')
    // Node reaps its children only between turns: within this one it stays a zombie.
    const state = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2]
    for (let polls = 0; state() !== 'Z' && polls < 1000; polls++)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    expect(state()).toBe('Z')
    expect(processStart(pid)).toBeUndefined()
  })

  it('is read from ps without /proc', async () => {
    const child = start()
    expect(processStart(child.pid, 'darwin')).toMatch(/\d\d:\d\d:\d\d \d{4}$/)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(processStart(child.pid, 'darwin')).toBeUndefined()
  })
})

describe('processes with a variable', () => {
  it.runIf(onLinux)('are found by the complete name and value', async () => {
    const one = start({ PROVISION_TEST: 'vm-1' })
    const ten = start({ PROVISION_TEST: 'vm-10' })
    await expect.poll(() => processesWith('PROVISION_TEST=vm-1')).toEqual([one.pid])
    await expect.poll(() => processesWith('PROVISION_TEST=vm-10')).toEqual([ten.pid])
  })

  it('are not found if the environment of others is hidden', () => {
    expect(processesWith('PATH=', 'darwin')).toEqual([])
  })
})
