// Packed scripts as the clouds run them: the provisioner does not unpack them there.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { packUserData } from '../../../src/agent-setup/pack.ts'
import { renderScript } from '../../../src/agent-setup/render.ts'
import { agentSetup, type SetupChanges } from '../../support/agent-setups.ts'
import { dockerRun, ScriptVms } from '../../support/script-vm.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

/** Over the limit of Compute Engine, but compressible. */
const long = (last: string) => `#!/bin/bash\n# ${'a'.repeat(300_000)}\n${last}\n`

async function stubbed(changes: SetupChanges): Promise<string> {
  const setup = agentSetup({ cloud: 'gcp', ...changes })
  const { script } = await renderScript(setup)
  const { userData } = await packUserData(script!, setup)
  expect(userData!.encoding).toBe('gzip-stub')
  return Buffer.from(userData!.packed).toString()
}

describe('a script that unpacks itself', () => {
  it('does the same as the plain one, and leaves nothing behind', async () => {
    const vm = vms.create()
    vm.write('tmp/here', '')
    const TMPDIR = join(vm.root, 'tmp')
    const { status, stages } = await vm.runScript(await stubbed({ startupScript: long('echo') }), { TMPDIR })
    expect({ status, last: stages.at(-1) }).toEqual({ status: 0, last: 'agent_started' })
    expect(dockerRun(vm).environment['DET_AGENT_ID']).toBe('det-agent-1')
    expect(readdirSync(TMPDIR)).toEqual(['here'])
  })

  it('ends with the exit status of the script in it', async () => {
    const { status } = await vms.create().runScript(await stubbed({ startupScript: long('exit 9') }))
    expect(status).toBe(20)
  })

  it.each([
    ['cut short', (text: string) => text.slice(0, -100)],
    ['damaged', (text: string) => `${text.slice(0, 900)}${text[900] === 'A' ? 'B' : 'A'}${text.slice(901)}`],
  ])('runs nothing of it when it was %s on the way', async (_, spoil) => {
    const vm = vms.create()
    const { status, stages } = await vm.runScript(spoil(await stubbed({ startupScript: long('echo') })))
    expect({ status, stages }).toEqual({ status: 1, stages: [] })
  })
})
