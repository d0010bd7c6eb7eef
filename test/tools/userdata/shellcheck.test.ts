// shellcheck reports nothing for any rendered script, not even about style.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { renderScript } from '../../../src/agent-setup/render.ts'
import { agentSetup } from '../../support/agent-setups.ts'
import { scriptSamples } from '../../support/script-samples.ts'
import { root } from '../../support/sources.ts'

it.each(Object.entries(scriptSamples))('%s', async (_, changes) => {
  const { script } = await renderScript(agentSetup(changes))
  expect(await shellcheck(script!)).toEqual([])
})

it('the entrypoint of the agent image', async () => {
  expect(await shellcheck(readFileSync(join(root, 'images/agent/entrypoint.sh'), 'utf8'))).toEqual([])
})

it('reports a faulty script', async () => {
  expect(await shellcheck('#!/bin/bash\necho $1\n')).toEqual(['line 2 SC2086'])
})

async function shellcheck(script: string): Promise<string[]> {
  const child = promisify(execFile)('shellcheck', ['--shell=bash', '--severity=style', '--format=json1', '-'])
  child.child.stdin!.end(script)
  // It exits with status 1 when it reports something.
  const { stdout } = await child.catch((error: { stdout?: string }) => {
    if (!error.stdout) throw error
    return { stdout: error.stdout }
  })
  const { comments } = JSON.parse(stdout) as { comments: { line: number; code: number }[] }
  return comments.map(({ line, code }) => `line ${line} SC${code}`)
}
