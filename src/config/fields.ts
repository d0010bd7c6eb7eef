// The types of values of configuration keys, and how a key is declared: once, with its default and its meaning.
import * as z from 'zod/mini'
import { parseDuration } from '../platform/index.ts'
import type { ProblemCode } from '../problems/index.ts'

/** The documentation of a key, also for editors. */
interface About {
  description: string
  /** The default as a text, if it depends on other keys. */
  'x-default'?: string
  deprecated?: true
}

/** The wording of a problem with a value. */
interface Kind {
  /** Completes "must be …". */
  noun: string
  remedy?: string
  /** The code for a value of the right type in a wrong form; default CONFIG_BAD_VALUE. */
  code?: ProblemCode
}

export const documentation = z.registry<About>()
export const kinds = z.registry<Kind>()

/** A key of the master that the provisioner does not read. */
export const foreign = z.optional(z.unknown())

export function foreignKeys<K extends string>(...names: K[]): Record<K, typeof foreign> {
  return Object.fromEntries(names.map((key) => [key, foreign])) as Record<K, typeof foreign>
}

type Schema = z.ZodMiniType

/** An optional key without a default value; `assumed` describes what applies instead. */
export function key<S extends Schema>(
  schema: S,
  description: string,
  assumed?: string,
): z.ZodMiniOptional<S> {
  return documented(z.optional(schema), {
    description,
    ...(assumed !== undefined && { 'x-default': assumed }),
  })
}

/** A key with a default, in the form of the file. */
export function keyOr<S extends Schema>(
  schema: S,
  standard: z.input<S>,
  description: string,
): z.ZodMiniPrefault<S> {
  return documented(z.prefault(schema, standard), { description })
}

/** A required key. */
export function needed<S extends Schema>(schema: S, description: string): z.ZodMiniNonOptional<S> {
  return documented(z.nonoptional(schema), { description })
}

/** A deprecated key, kept for old files. */
export function oldKey<S extends Schema>(schema: S, description: string): z.ZodMiniOptional<S> {
  return documented(z.optional(schema), { description, deprecated: true })
}

/** A nested block whose keys all have defaults or are optional; `remedy` is for a value that is no mapping. */
export function block<S extends z.core.$ZodLooseShape>(shape: S, description: string, remedy?: string) {
  const mapping = z.strictObject(shape)
  if (remedy) kinds.add(mapping as Schema, { noun: 'a mapping', remedy })
  return documented(z.prefault(mapping, {} as never), { description })
}

/** The same for a block that also has keys of the master. */
export function looseBlock<S extends z.core.$ZodLooseShape>(shape: S, description: string) {
  return documented(z.prefault(z.looseObject(shape), {} as never), { description })
}

export function documented<S extends Schema>(schema: S, about: About): S {
  documentation.add(schema as Schema, about)
  return schema
}

export const text = z
  .string()
  .register(kinds, { noun: 'a string', remedy: 'Write a string; quotes turn any value into a string.' })
export const name = z
  .string()
  .check(z.minLength(1))
  .register(kinds, { noun: 'a non-empty string', remedy: 'Write a string of at least one character.' })
export const names = z.array(name).register(kinds, list('strings'))
export const flag = z
  .boolean()
  .register(kinds, { noun: 'true or false', remedy: 'Write true or false, without quotes.' })
export const port = count(1, 65_535)
export const dollars = z
  .number()
  .check(z.gte(0))
  .register(kinds, { noun: 'a number of dollars', remedy: 'Write a number such as 0.45, without quotes.' })

export function list(of: string): Kind {
  return { noun: `a list of ${of}`, remedy: 'Write one "- item" on each line below the key, or [a, b].' }
}

export function count(least: number, most?: number) {
  const range = most === undefined ? `of at least ${least}` : `from ${least} to ${most}`
  return z
    .int()
    .check(z.gte(least), ...(most === undefined ? [] : [z.lte(most)]))
    .register(kinds, {
      noun: `an integer ${range}`,
      remedy: `Write an integer ${range}, without quotes.`,
    })
}

/** A string of a certain form; `noun` completes "must be …". */
export function shaped(pattern: RegExp, noun: string, remedy?: string) {
  return z
    .string()
    .check(z.regex(pattern))
    .register(kinds, { noun, ...(remedy && { remedy }) })
}

export function choice<const T extends readonly [string, ...string[]]>(...words: T) {
  return z.enum(words).register(kinds, { noun: `one of ${words.join(', ')}`, code: 'CONFIG_BAD_CHOICE' })
}

/** https://pkg.go.dev/time#ParseDuration, without a sign. */
const durationPattern = /^(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/

/** Go durations, as milliseconds. Like Determined's provisioner (master/pkg/model/duration.go), strings only. */
function durationOf(
  noun: string,
  test: (ms: number) => boolean,
  pattern = durationPattern,
  parse: (value: string) => number | undefined = parseDuration,
) {
  const kind: Kind = {
    noun,
    code: 'CONFIG_BAD_DURATION',
    remedy: 'Write numbers with units (h, m, s, ms), such as "90s", "20m" or "1h30m".',
  }
  return z
    .pipe(
      z
        .string()
        .check(
          z.regex(pattern, { abort: true }),
          z.refine((value: string) => test(parse(value) ?? Number.NaN)),
        )
        .register(kinds, kind),
      z.transform((value: string) => parse(value) ?? Number.NaN),
    )
    .register(kinds, kind)
}

export const duration = durationOf('a duration such as "30s"', (ms) => ms >= 0)
/** Milliseconds; `never` is infinite. */
export const durationOrNever = durationOf(
  'a duration such as "1h", or "never"',
  (ms) => ms >= 0,
  new RegExp(`^never$|${durationPattern.source}`),
  (value) => (value === 'never' ? Number.POSITIVE_INFINITY : parseDuration(value)),
)
export const period = durationOf('a duration longer than zero, such as "20m"', (ms) => ms > 0)
