// The built-in templates follow the rules for users' templates, and match the table of stages.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import Handlebars from 'handlebars'
import { describe, expect, it } from 'vitest'
import { failureStages, progressStages } from '../../../src/agent-setup/stages.ts'
import { lintTemplate, vocabularyOf } from '../../../src/agent-setup/user-template.ts'
import { machines } from '../../support/agent-setups.ts'

const root = join(import.meta.dirname, '../../../templates')
const main = ['agent-setup.sh.hbs']
const partials = ['partials', 'providers'].flatMap((folder) =>
  readdirSync(join(root, folder)).map((file) => `${folder}/${file}`),
)
const proofs = readdirSync(join(root, 'proofs')).map((file) => `proofs/${file}`)
const names = partials.map((file) => basename(file, '.hbs'))
const vocabulary = vocabularyOf(machines)
/** The built-in template inserts the partial of the machine by these names. */
const builtIn = {
  ...vocabulary,
  partials: [...vocabulary.partials, 'machine-first', 'machine', 'machine-proof'],
}
const textOf = (file: string) => readFileSync(join(root, file), 'utf8')
const everything = [...main, ...partials].map(textOf).join('\n')

describe('templates/', () => {
  it.each([...main, ...partials, ...proofs])('%s passes the lint', (file) => {
    const source = { name: file, text: textOf(file) }
    expect(lintTemplate(source, Handlebars.parse, builtIn, file !== main[0])).toEqual([])
  })

  it('has no unused partial', () => {
    const used = new Set(Array.from(everything.matchAll(/\{\{> ([\w-]+)\}\}/g), ([, name]) => name))
    for (const { kind, partial } of machines)
      if (partial && used.has(partial.at === 'first' ? 'machine-first' : 'machine')) used.add(kind)
    expect(names.filter((name) => !used.has(name))).toEqual([])
  })

  it('gives every failure the exit status of its stage, and covers all failures', () => {
    const given = Array.from(
      everything.matchAll(/(?:fail |fault=)['"]([a-z_]+ \d+)['"]/g),
      ([, pair]) => pair,
    )
    const table = Object.entries(failureStages).map(([stage, { exit }]) => `${stage} ${exit}`)
    expect([...new Set(given)].sort()).toEqual(table.sort())
  })

  it('prints every progress stage', () => {
    const printed = Array.from(everything.matchAll(/\bstage ([a-z_]+)/g), ([, stage]) => stage)
    expect([...new Set(printed)].sort()).toEqual([...progressStages].sort())
  })
})
