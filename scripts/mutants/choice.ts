// Which mistakes are made, in which order, and what is known about them.
import { createHash } from 'node:crypto'
import { type Mutation, type Site, sitesOf } from './operators.ts'

export interface Mutant extends Mutation {
  /** The same for the same mistake in the same text of a file. */
  id: string
  file: string
  /** Line and column, from 1. */
  at: string
  /** The text that it replaces. */
  old: string
}

export type Noticed = 'unit tests' | 'types' | '50 worlds' | '1,000 worlds' | 'nothing'

export interface Result extends Mutant {
  /** Of the sources and tests. */
  version: string
  noticed: Noticed
  /** The failed test, the broken promise, or `no end`. */
  by: string
  seconds: number
  /** Worlds in which it was looked for. */
  worlds: number
}

export interface Place {
  file: string
  source: string
  site: Site
}

export function mutantsOf(sources: ReadonlyMap<string, string>): Place[] {
  return [...sources].flatMap(([file, source]) =>
    sitesOf(file, source).map((site) => ({ file, source, site })),
  )
}

/**
 * The first `count` of an order that depends on the seed only, so that more of them contain all of the fewer ones. Each
 * place is as likely as any other, and has one mistake.
 */
export function chosen(places: Place[], count: number, seed: string): Mutant[] {
  return places
    .map((place) => {
      const [{ kind, start, end }] = place.site
      return { ...place, draw: digest(`${seed} ${place.file} ${kind} ${start} ${end}`) }
    })
    .sort((a, b) => (a.draw < b.draw ? -1 : 1))
    .slice(0, count)
    .map(({ file, source, site, draw }) => {
      const mutation = site[Number.parseInt(draw.slice(-8), 16) % site.length]!
      const before = source.slice(0, mutation.start).split('\n')
      const at = `${before.length}:${before.at(-1)!.length + 1}`
      const old = source.slice(mutation.start, mutation.end)
      return {
        ...mutation,
        id: digest(`${file} ${digest(source)} ${mutation.start} ${mutation.end} ${mutation.text}`).slice(
          0,
          12,
        ),
        file,
        at,
        old,
      }
    })
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The last result of each mutant; a line that was not written completely is left out. */
export function resultsOf(lines: string): Map<string, Result> {
  const known = new Map<string, Result>()
  for (const text of lines.split('\n')) {
    const result = parsed(text)
    if (result) known.set(result.id, result)
  }
  return known
}

function parsed(text: string): Result | undefined {
  try {
    return JSON.parse(text) as Result
  } catch {
    return undefined
  }
}

export function summary(results: Result[]): string {
  const count = (noticed: Noticed) => results.filter((one) => one.noticed === noticed).length
  const seconds = results.reduce((sum, one) => sum + one.seconds, 0)
  const all = results.length
  const percent = (part: number) => `${part} (${all ? Math.round((part / all) * 100) : 0} %)`
  const seen = all - count('nothing')
  return (
    `${all} mutants, ${percent(seen)} noticed: ${percent(count('unit tests'))} by unit tests, ${count('types')} by the types, ${count('50 worlds')} by 50 worlds, ` +
    `${count('1,000 worlds')} by 1,000; ${count('nothing')} unnoticed; ${Math.round(seconds / Math.max(1, all))} s a mutant`
  )
}
