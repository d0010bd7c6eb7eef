// `npm run bench` with a name that does not exist.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { root } from '../../support/sources.ts'

it.each(['nosuch', '--help'])('lists the names for %s', { timeout: 60_000 }, (name) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'bench/run.ts'), name], {
    encoding: 'utf8',
  })
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toContain(`unknown benchmark: ${name}; there are cold-start, user-data, plan, `)
})
