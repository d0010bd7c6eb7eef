// docs/user-data.md matches the code.

import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { failureStages, progressStages } from '../../../src/agent-setup/stages.ts'
import { helperNames } from '../../../src/agent-setup/template-options.ts'
import { contextNames } from '../../../src/agent-setup/templates.ts'
import { machines } from '../../support/agent-setups.ts'

const root = join(import.meta.dirname, '../../..')
const page = readFileSync(join(root, 'docs/user-data.md'), 'utf8')
const rows = page.split('\n').filter((line) => /^\| `[a-z]\w/.test(line))

it('lists every name of a template, and no other', () => {
  const names = Object.entries(contextNames(machines)).map(
    ([name, { kind, meaning }]) => `| \`${name}\` | ${kind} | ${meaning} |`,
  )
  expect(rows.filter((row) => / \| (?:text|list|switch) \| /.test(row))).toEqual(names)
})

it('lists every failure with its exit status', () => {
  const stages = Object.entries(failureStages).map(
    ([stage, { exit, meaning }]) => `| \`${stage}\` | ${exit} | ${meaning} |`,
  )
  expect(rows.filter((row) => / \| \d+ \| /.test(row))).toEqual(stages)
})

it('names every other stage, partial and helper, and the limits', () => {
  const partials = ['partials', 'providers'].flatMap((folder) =>
    readdirSync(join(root, 'templates', folder)).map((file) => `{{> ${basename(file, '.hbs')}}}`),
  )
  const limits = machines.flatMap(({ userData: { limit } }) => limit?.toLocaleString('en-US') ?? [])
  const helpers = helperNames.map((name) => `{{${name} `)
  for (const text of [...progressStages.map((stage) => `\`${stage}\``), ...partials, ...limits, ...helpers])
    expect(page).toContain(text)
})
