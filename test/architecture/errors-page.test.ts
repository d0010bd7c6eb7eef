// The table of codes: the page lists exactly these codes, and each of them is used.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { errorsPage } from '../../scripts/errors-page.ts'
import { actReasons } from '../../src/planner/decision.ts'
import { waitReasons } from '../../src/planner/waiting.ts'
import { problemCodes } from '../../src/problems/codes.ts'
import { root, sourcesBelow } from '../support/sources.ts'

const codes = Object.keys(problemCodes)

describe('the table of codes', () => {
  it('matches docs/errors.md (npm run docs)', () => {
    expect(readFileSync(join(root, 'docs/errors.md'), 'utf8')).toBe(errorsPage())
  })

  it('lists each code, and each reason of a decision, once on the page', () => {
    const listed = [...errorsPage().matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map((match) => match[1])
    expect(listed.sort()).toEqual([...codes, ...Object.keys(waitReasons), ...Object.keys(actReasons)].sort())
  })

  it('has no unused code', () => {
    const raised = sourcesBelow('src')
      .filter((file) => !/^src.problems..*codes/.test(file.path))
      .map((file) => file.text)
      .join('\n')
    expect(codes.filter((code) => !raised.includes(`'${code}'`))).toEqual([])
  })

  it('gives every code a meaning and a remedy in full sentences', () => {
    const poor = Object.entries(problemCodes).filter(
      ([, info]) => !/^[A-Z"`].*\.$/.test(info.meaning) || !/^[A-Z"`].*\.$/.test(info.remedy),
    )
    expect(poor.map(([code]) => code)).toEqual([])
  })
})
