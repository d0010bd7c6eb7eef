// The mistakes that npm run mutants makes: where, which, in which order, and what is remembered of them.
import { parseSync } from 'oxc-parser'
import { describe, expect, it } from 'vitest'
import { chosen, mutantsOf, type Result, resultsOf, summary } from '../../../scripts/mutants/choice.ts'
import { applied, sitesOf } from '../../../scripts/mutants/operators.ts'

const mistakesIn = (source: string) =>
  sitesOf('file.ts', source)
    .flat()
    .map((mutation) => applied(source, mutation))

describe('mistakes', () => {
  it.each([
    ['f(a < b)', ['f(a <= b)', 'f(a >= b)']],
    ['f(a === 1)', ['f(a !== 1)', 'f(a === 2)', 'f(a === 0)']],
    ['f(a /* < */ < b)', ['f(a /* < */ <= b)', 'f(a /* < */ >= b)']],
    ['f(a && b)', ['f(a || b)']],
    ['f(a ?? b)', ['f(a)']],
    ['f(a + b - c)', ['f(a - b - c)', 'f(a + b + c)']],
    ['f(!a)', ['f(a)']],
    ['f(a ? b : c)', ['f(!(a) ? b : c)']],
    ['f(Math.max(a, b))', ['f(Math.min(a, b))']],
    ['f(a.some(b))', ['f(a.every(b))']],
    ['f(a.filter(b))', ['f(a)']],
    ['f({ ...a, b: c, d })', ['f({ ...{}, b: c, d })', 'f({ ...a, ...{}, d })', 'f({ ...a, b: c, ...{} })']],
    ['f([...a])', ['f([...[]])']],
    ['f(30_000, true)', ['f(60000, true)', 'f(0, true)', 'f(30_000, false)']],
    ['a += b', ['a -= b']],
    ['if (a) b()', ['if (!(a)) b()', 'if (a) {}']],
    ['function f() { b() }', ['function f() { return; b() }', 'function f() { {} }']],
    ['const f = () => { return a }', ['const f = () => { return undefined }']],
    ['for (const a of b) continue', ['for (const a of b) {}']],
  ])('in %s', (source, expected) => {
    // Each of them may also be removed completely.
    expect(
      mistakesIn(source)
        .filter((text) => text !== '{}')
        .sort(),
    ).toEqual([...expected].sort())
  })

  it.each([
    ['a comment', '// a < b && c\n/* 1 + 2 */'],
    ['a type', 'type A = { b: 1 | 2 } & (c extends 3 ? true : false)\ninterface D { e: 4 }'],
    ['an annotation', 'const a: 1 | true = b as 1'],
    ['an import', "import { a } from './b.ts' with { type: 'json' }"],
    ['a text', `const a = 'b < c'\nconst d = \`\${1 + 2} of \${e ? 3 : 4}\``],
    [
      'a message',
      "const a = problem('A', 'b', { details: { c: 1 } })\nconst d = new Error('e', { cause: !f })",
    ],
    ['a directive', "'use strict'"],
    ['a method that every object has', 'const a = b.toString().valueOf()'],
  ])('are never made in %s', (_, source) => {
    expect(mistakesIn(source)).toEqual([])
  })

  it('leave a file that can be parsed', async () => {
    const { readFileSync } = await import('node:fs')
    const source = readFileSync('src/planner/placement.ts', 'utf8')
    const sites = sitesOf('placement.ts', source)
    expect(sites.length).toBeGreaterThan(100)
    for (const mutation of sites.flat())
      expect(parseSync('a.ts', applied(source, mutation)).errors, JSON.stringify(mutation)).toEqual([])
  })
})

describe('a choice', () => {
  const places = mutantsOf(new Map([['a.ts', 'f(a < b, c && d, !e, 1, 2, 3, [...g], h + i)']]))

  it('of more begins with that of fewer, for the same seed', () => {
    expect(chosen(places, 6, 'seed').slice(0, 3)).toEqual(chosen(places, 3, 'seed'))
    expect(chosen(places, 6, 'seed')).not.toEqual(chosen(places, 6, 'other'))
  })

  it('has each place once', () => {
    const all = chosen(places, 100, 'seed')
    expect(all).toHaveLength(places.length)
    expect(new Set(all.map(({ id }) => id)).size).toBe(places.length)
  })
})

describe('results', () => {
  const mutant = chosen(mutantsOf(new Map([['a.ts', 'f(a < b)']])), 1, 'seed')[0]!
  const result: Result = {
    ...mutant,
    version: '1',
    noticed: 'nothing',
    by: '',
    seconds: 10,
    worlds: 50,
  }

  it('are the last ones of each mutant; half a line is left out', () => {
    const lines = [result, { ...result, noticed: '50 worlds' }]
    const stored = `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"id":"x`
    expect([...resultsOf(stored).values()]).toMatchObject([{ noticed: '50 worlds' }])
  })

  it('are counted', () => {
    const all = [
      result,
      { ...result, noticed: 'unit tests' as const },
      { ...result, noticed: 'types' as const },
    ]
    expect(summary([...all, result])).toBe(
      '4 mutants, 2 (50 %) noticed: 1 (25 %) by unit tests, 1 by the types, 0 by 50 worlds, 0 by 1,000; 2 unnoticed; 10 s a mutant',
    )
    expect(summary([])).toContain('0 mutants')
  })
})
