// `provision … | head`: a reader that closes the pipe ends the command quietly, but a closed log ends nothing.
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

it('exits quietly, but not with 0, when its output is not read', async () => {
  const child = start('schema')
  child.stdout.destroy()
  const [said, [status]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  expect(said).toBe('')
  expect(status).toBe(1)
})

it('continues when its messages are not read', async () => {
  writeFileSync(join(dir, 'wrong.yaml'), 'resource_pools: 7\n')
  const child = start('validate', '-c', join(dir, 'wrong.yaml'))
  child.stderr.destroy()
  const [[status]] = await Promise.all([once(child, 'exit'), text(child.stdout)])
  expect(status).toBe(3)
})
