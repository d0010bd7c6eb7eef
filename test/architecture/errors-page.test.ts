// One table of codes: the page lists exactly those, and every one of them can happen.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { errorsPage } from '../../scripts/errors-page.ts'
import { problemCodes } from '../../src/problems/codes.ts'
import { root, sourcesBelow } from '../support/sources.ts'

const codes = Object.keys(problemCodes)

describe('the table of codes', () => {
  it('is what docs/errors.md says (npm run docs)', () => {
    expect(readFileSync(join(root, 'docs/errors.md'), 'utf8')).toBe(errorsPage())
  })

  it('lists each code once on the page', () => {
    const listed = [...errorsPage().matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map((match) => match[1])
    expect(listed.sort()).toEqual([...codes].sort())
  })

  it('holds no code that nothing raises', () => {
    const raised = sourcesBelow('src')
      .filter((file) => !/^src.problems..*codes/.test(file.path))
      .map((file) => file.text)
      .join('\n')
    expect(codes.filter((code) => !raised.includes(`'${code}'`))).toEqual([])
  })

  it('gives every code a meaning and a remedy that are sentences', () => {
    const poor = Object.entries(problemCodes).filter(
      ([, info]) => !/^[A-Z"`].*\.$/.test(info.meaning) || !/^[A-Z"`].*\.$/.test(info.remedy),
    )
    expect(poor.map(([code]) => code)).toEqual([])
  })
})
