// Every library that ships is justified, and nothing is justified that does not ship.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root } from '../support/sources.ts'

const read = (name: string) => readFileSync(join(root, name), 'utf8')
const about = JSON.parse(read('package.json'))

describe('dependencies', () => {
  it('are exactly those that docs/dependencies.md gives a reason for', () => {
    const justified = [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)` \| \S/gm)].map(
      (match) => match[1],
    )
    expect(justified).toEqual(Object.keys(about.dependencies).sort())
  })

  it('have their licences listed when they are inside a bundle', () => {
    const licences = read('THIRD_PARTY_LICENSES')
    for (const name of ['commander', 'handlebars', 'yaml', 'zod'])
      expect(licences).toMatch(new RegExp(`^${name} \\(`, 'm'))
  })

  it('name no registry host in the lock file', () => {
    expect(read('package-lock.json')).not.toMatch(/https?:\/\/[^"]*registry/)
  })
})
