// Complete startup scripts, as VMs get them (`npx vitest run test/golden/scripts.test.ts -u` rewrites them).
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { renderScript } from '../../src/agent-setup/render.ts'
import { agentSetup, machines } from '../support/agent-setups.ts'
import { scriptSamples } from '../support/script-samples.ts'

const folder = join(import.meta.dirname, 'scripts')
const samples = Object.entries(scriptSamples).map(([name, changes]) => ({ name, setup: agentSetup(changes) }))

describe('the script of', () => {
  it.each(samples)('$name', async ({ name, setup }) => {
    const { script, problems } = await renderScript(setup)
    expect(problems).toEqual([])
    await expect(script).toMatchFileSnapshot(join(folder, `${name}.sh`))
  })

  it.each(samples)('$name is a script that bash can parse', async ({ name }) => {
    await promisify(execFile)('bash', ['-n', join(folder, `${name}.sh`)])
  })
})

describe('the samples', () => {
  it('are all files of the folder', () => {
    expect(readdirSync(folder).sort()).toEqual(samples.map(({ name }) => `${name}.sh`).sort())
  })

  it('contain every cloud, trust mode, slot type and runtime', () => {
    const covered = samples.flatMap(({ setup }) => [
      setup.machine.kind,
      setup.trust.mode,
      setup.slotType,
      setup.runtime,
    ])
    const all = [
      ...machines.map(({ kind }) => kind),
      'embed',
      'system',
      'skip_verify',
      'off',
      'cuda',
      'rocm',
      'cpu',
      'none',
    ]
    expect([...new Set(covered)].sort()).toEqual([...all, 'auto', 'docker', 'process'].sort())
  })

  it('end every line with LF only, and no line with a blank', async () => {
    for (const { setup } of samples)
      expect((await renderScript(setup)).script).not.toMatch(/\r|[ \t]\n|\n\n\n/)
  })
})
