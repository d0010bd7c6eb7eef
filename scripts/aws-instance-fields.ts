// Writes src/providers/aws/instance-fields.json from the installed EC2 client: `node scripts/aws-instance-fields.ts`.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { instanceFields } from '../test/support/ec2-model.ts'

const root = join(import.meta.dirname, '..')
const file = join(root, 'src/providers/aws/instance-fields.json')
writeFileSync(file, `${JSON.stringify(instanceFields(), null, 2)}\n`)
spawnSync(join(root, 'node_modules/.bin/biome'), ['format', '--write', file], { stdio: 'inherit' })
