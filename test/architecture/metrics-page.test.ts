// docs/operate/operations.md lists all metrics.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { metricsTable } from '../../scripts/metrics-page.ts'
import { root } from '../support/sources.ts'

it('the table of metrics matches docs/operate/operations.md', () => {
  const page = readFileSync(join(root, 'docs/operate/operations.md'), 'utf8')
  expect(page).toContain(metricsTable())
})
