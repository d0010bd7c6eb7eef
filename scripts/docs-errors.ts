// Writes docs/errors.md from the table of codes. A test fails when the page is outdated.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorsPage } from './errors-page.ts'

writeFileSync(join(import.meta.dirname, '../docs/errors.md'), errorsPage())
