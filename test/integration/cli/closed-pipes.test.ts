// `provision … | head`: who reads no more ends the command quietly, and a log that nobody reads ends nothing.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, expect, inject, it } from 'vitest'

const dir = mkdtempSync(join(tmpdir(), 'pipes-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function start(...args: string[]) {
  return spawn(process.execPath, ['--no-warnings', inject('cli'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

it('ends without a word, but not as done, when nobody reads what it prints', async () => {
  const child = start('schema')
  child.stdout.destroy()
  const [said, [status]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  expect(said).toBe('')
  expect(status).toBe(1)
})

it('goes on when nobody reads what it says to people', async () => {
  writeFileSync(join(dir, 'wrong.yaml'), 'resource_pools: 7\n')
  const child = start('validate', '-c', join(dir, 'wrong.yaml'))
  child.stderr.destroy()
  const [[status]] = await Promise.all([once(child, 'exit'), text(child.stdout)])
  expect(status).toBe(3)
})
