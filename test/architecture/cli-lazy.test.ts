// The command line starts fast and reads every flag: what it loads before the command is known, and how flags are declared.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { asBundled, root, type SourceFile, sourcesBelow, target } from '../support/sources.ts'

const sources = sourcesBelow('src/cli')

/** The files of the repository that are loaded together with this file. */
function loadedBy({ imports, ...file }: SourceFile): string[] {
  return imports
    .filter(({ dynamic, typeOnly }) => !dynamic && !typeOnly)
    .flatMap(({ specifier }) => target({ imports, ...file }, specifier) ?? [])
}

describe('the command line', () => {
  it('loads the application only when needed', () => {
    const rooms = /^src\/(provisioner|standalone|simulator|fleet|providers)\//
    const eager = sources.flatMap((file) =>
      loadedBy(file)
        .filter((path) => rooms.test(path))
        .map((path) => `${file.path}: ${path}`),
    )
    expect(eager).toEqual([])
  })

  it('loads almost nothing before it knows the command', () => {
    const loaded = new Set(['src/cli/main.ts'])
    for (const path of loaded)
      for (const next of sources
        .filter((file) => file.path === path)
        .map(asBundled)
        .flatMap(loadedBy))
        loaded.add(next)
    const light = /^(src\/(cli|problems)\/.*|src\/platform\/(duration|nearest|printable)\.ts|package\.json)$/
    // The tables of codes, because every command may print a problem.
    expect([...loaded].filter((path) => !light.test(path))).toEqual(['src/config/report.ts'])
    const libraries = sources
      .filter(({ path }) => loaded.has(path))
      .flatMap(({ imports }) => imports.filter(({ dynamic, typeOnly }) => !dynamic && !typeOnly))
      .flatMap(({ specifier }) => (/^(\.|node:)/.test(specifier) ? [] : [specifier]))
    expect([...new Set(libraries)]).toEqual(['commander'])
  })

  it('keeps every flag and argument in a constant, so that the compiler reports unread ones', () => {
    const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'))
    expect(compilerOptions).toMatchObject({ noUnusedLocals: true })
    const declared =
      /^(.*?)\b(?:(?!commander\b)\w+\.(?:toggle|text|textOr|list|choice|flag|argument|rest)|\w+Flag)\(/gm
    const declarations = sources.flatMap(({ path, text }) =>
      [...text.matchAll(declared)].map(([line, before = '']) => ({ before, what: `${path}: ${line}` })),
    )
    expect(declarations.length).toBeGreaterThan(50)
    expect(declarations.filter(({ before }) => !/(const \w+ = |return |function )$/.test(before))).toEqual([])
  })

  it('declares no flags in another way', () => {
    const others = sources.filter(({ path }) => path !== 'src/cli/command.ts')
    expect(others.filter(({ text }) => /\.(addOption|option|requiredOption)\(/.test(text))).toEqual([])
  })
})
