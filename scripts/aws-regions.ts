// Writes src/providers/aws/regions.json from the partitions in the installed AWS SDK: `node scripts/aws-regions.ts`.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { regionsOfSdk } from '../test/support/aws-regions.ts'

const root = join(import.meta.dirname, '..')
const file = join(root, 'src/providers/aws/regions.json')
writeFileSync(file, `${JSON.stringify(regionsOfSdk(), null, 2)}\n`)
spawnSync(join(root, 'node_modules/.bin/biome'), ['format', '--write', file], { stdio: 'inherit' })
