import { describe, expect, it } from 'vitest'
import { sourcesBelow, target } from '../../support/sources.ts'

const sources = sourcesBelow('src/planner')

describe('the planner', () => {
  it('imports only its own files and the problems, and nothing with side effects', () => {
    const others = sources.flatMap((file) =>
      file.imports
        .map(({ specifier }) => target(file, specifier) ?? specifier)
        .filter((path) => !/^src\/(planner|problems)\//.test(path))
        .map((path) => `${file.path}: ${path}`),
    )
    expect(sources.length).toBeGreaterThan(8)
    expect(others).toEqual([])
  })

  it('uses neither time nor randomness, and never waits', () => {
    const impure =
      /Date\.now|new Date\b|Math\.random|crypto|performance\.|process\.|\basync\b|\bawait\b|setTimeout/
    expect(sources.filter((file) => impure.test(file.text)).map((file) => file.path)).toEqual([])
  })
})
