// Builds dist/: the bundles, the type declarations, and the list of licences of what is inside.
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { bundle } from './bundle.ts'
import { closeDeclarations } from './declarations.ts'
import { licensesOf } from './licenses.ts'

const root = resolve(import.meta.dirname, '..')
const dist = join(root, 'dist')

rmSync(dist, { recursive: true, force: true })
const inputs = await bundle(dist)
execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
})
const declarations = closeDeclarations(join(dist, 'types'), ['index.d.ts', 'testing/index.d.ts'])
writeFileSync(join(root, 'THIRD_PARTY_LICENSES'), licensesOf([...inputs, ...declarations], root))
