// Writes src/providers/gcp/instance-fields.json from the installed Compute Engine client: `node scripts/gcp-instance-fields.ts`.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { instanceFields } from '../test/support/compute-descriptor.ts'

const root = join(import.meta.dirname, '..')
const file = join(root, 'src/providers/gcp/instance-fields.json')
writeFileSync(file, `${JSON.stringify(instanceFields(), null, 2)}\n`)
spawnSync(join(root, 'node_modules/.bin/biome'), ['format', '--write', file], { stdio: 'inherit' })
