// Writes docs/configuration.md from the schema. A test fails when the page is stale.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { referencePage } from '../src/config/reference.ts'

writeFileSync(join(import.meta.dirname, '../docs/configuration.md'), referencePage())
