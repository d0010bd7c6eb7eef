// The contents of the package: what users need, and no other files of the machine that packs it.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { root } from '../support/sources.ts'

const folders = ['certs', 'secrets', '.provision'].map((name) =>
  join(root, 'examples/gcp', name, 'packed-by-mistake'),
)
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

it('contains no key, no secret and no state of the examples', { timeout: 60_000 }, () => {
  for (const folder of folders) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'server.key'), 'not for others')
  }
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
  })
  const [{ files }] = JSON.parse(output) as [{ files: { path: string }[] }]
  const paths = files.map(({ path }) => path)
  expect(paths.filter((path) => /\.key$|\/(certs|secrets|\.provision)\//.test(path))).toEqual([])
  for (const wanted of [
    'examples/gcp/master.yaml',
    'docs/tls.md',
    'templates/agent-setup.sh.hbs',
    'LICENSE',
    'examples/provider/rack.ts',
  ])
    expect(paths).toContain(wanted)
})

it('is not built anew by the `prepare` that the first `npx provision` of a checkout runs', {
  timeout: 60_000,
}, () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const files = () =>
    readdirSync(join(root, 'dist')).map((name) => [name, statSync(join(root, 'dist', name)).mtimeMs])
  const before = files()
  execFileSync('sh', ['-c', scripts.prepare], { cwd: root, env: { ...process.env, npm_command: 'exec' } })
  expect(files()).toEqual(before)
})
