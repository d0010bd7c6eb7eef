import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { processStart } from '../../../../src/platform/processes.ts'
import { startInstance } from '../../../../src/providers/local/instances.ts'

let root: string
let console: number

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vm-'))
  console = openSync(join(root, 'console.log'), 'a')
  writeFileSync(join(root, 'script'), 'echo ran > ran')
})
afterEach(() => {
  closeSync(console)
  rmSync(root, { recursive: true, force: true })
})

function start() {
  return startInstance({
    id: 'local-0123abcd-1',
    root,
    script: join(root, 'script'),
    console,
    env: process.env,
  })
}

describe('a VM that is not released', () => {
  it('waits without running any part of its script', async () => {
    const waiting = await start()
    expect(processStart(waiting.pid)).toBe(waiting.start)
    expect(existsSync(join(root, 'ran'))).toBe(false)
    waiting.release()
    expect(await waiting.ended).toEqual({ code: 0, signal: null })
    expect(readFileSync(join(root, 'ran'), 'utf8')).toBe('ran\n')
  })

  it('exits by itself when the provisioner closes its end, as it does when it dies', async () => {
    const waiting = await start()
    waiting.abandon()
    expect(await waiting.ended).toEqual({ code: 125, signal: null })
    expect(existsSync(join(root, 'ran'))).toBe(false)
  })
})
