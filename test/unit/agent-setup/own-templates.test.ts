// Our own templates obey the rules users' have to obey, and agree with the table of stages.
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
const names = partials.map((file) => basename(file, '.hbs'))
const vocabulary = vocabularyOf(machines)
/** Where the built-in template has the part of the machine at hand. */
const ours = { ...vocabulary, partials: [...vocabulary.partials, 'machine-first', 'machine'] }
const textOf = (file: string) => readFileSync(join(root, file), 'utf8')
const everything = [...main, ...partials].map(textOf).join('\n')

describe('templates/', () => {
  it.each([...main, ...partials])('%s passes the lint', (file) => {
    const source = { name: file, text: textOf(file) }
    expect(lintTemplate(source, Handlebars.parse, ours, file !== main[0])).toEqual([])
  })

  it('has no partial that nothing uses', () => {
    const used = new Set(Array.from(everything.matchAll(/\{\{> ([\w-]+)\}\}/g), ([, name]) => name))
    for (const { kind, partial } of machines)
      if (partial && used.has(partial.at === 'first' ? 'machine-first' : 'machine')) used.add(kind)
    expect(names.filter((name) => !used.has(name))).toEqual([])
  })

  it('gives every failure the exit status of its stage, and leaves out none', () => {
    const given = Array.from(
      everything.matchAll(/(?:fail |fault=)['"]([a-z_]+ \d+)['"]/g),
      ([, pair]) => pair,
    )
    const table = Object.entries(failureStages).map(([stage, { exit }]) => `${stage} ${exit}`)
    expect([...new Set(given)].sort()).toEqual(table.sort())
  })

  it('prints every stage of progress', () => {
    const printed = Array.from(everything.matchAll(/\bstage ([a-z_]+)/g), ([, stage]) => stage)
    expect([...new Set(printed)].sort()).toEqual([...progressStages].sort())
  })
})
