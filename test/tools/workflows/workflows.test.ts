// The workflows on GitHub, checked by zizmor: pinned actions, no persisted credentials, no input in a shell, least privilege.
import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { pythonWith } from '../../support/python.ts'
import { root } from '../../support/sources.ts'

let zizmor: string
beforeAll(async () => {
  const python = await pythonWith('zizmor', join(import.meta.dirname, 'requirements.txt'))
  zizmor = join(dirname(python), 'zizmor')
}, 300_000)

it('finds nothing in the workflows and in dependabot.yml', () => {
  const report = execFileSync(
    zizmor,
    ['--offline', '--no-progress', '--format', 'json', join(root, '.github')],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  expect(JSON.parse(report)).toEqual([])
})
