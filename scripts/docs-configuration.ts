// Writes docs/configuration.md from the schema, and docs/internals/origin-vectors.md. Tests fail when a page is
// outdated.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { referencePage } from '../src/config/reference.ts'
import { builtInProviders } from '../src/providers/index.ts'
import { originVectorsPage } from './origin-vectors-page.ts'

const docs = join(import.meta.dirname, '../docs')
writeFileSync(join(docs, 'configuration.md'), referencePage(builtInProviders))
writeFileSync(join(docs, 'internals/origin-vectors.md'), originVectorsPage())
