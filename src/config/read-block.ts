// Reads a mapping key by key, so that one wrong value does not hide problems of the others.
import * as z from 'zod/mini'
import { type Problem, type ProblemCode, type ProblemOptions, problem } from '../problems/index.ts'
import { foreign, kinds } from './fields.ts'
import { unknownKeys } from './unknown-keys.ts'
import { described, issueProblem, nameOf } from './value-problem.ts'
import type { YamlPath, YamlText } from './yaml.ts'

/** The values that could be read: invalid and missing ones are omitted at any depth. */
export type Partially<T> = T extends readonly (infer Item)[]
  ? Partially<Item>[]
  : T extends object
    ? { [Key in keyof T]?: Partially<T[Key]> }
    : T

type Schema = z.ZodMiniType

interface Options {
  /** Keys that other code reads. */
  skip?: string[]
  /** Such keys that are not in the schema. */
  more?: readonly string[]
  /** The remedy for a key that belongs to another block; also for the blocks below. */
  elsewhere?: Elsewhere
}

/** The remedy for an unknown key; `inside` is the path of its block below the one that is read: `['network_interface']`. */
export type Elsewhere = (key: string, inside: YamlPath) => string | undefined

export function readBlock<S extends z.ZodMiniObject>(
  schema: S,
  block: Block,
  options: Options = {},
): Partially<z.output<S>> {
  const { elsewhere } = options
  const { reading, path } = block
  const own: Reading = {
    ...reading,
    elsewhere: elsewhere && ((key, at) => elsewhere(key, at.slice(path.length))),
  }
  return readMapping(schema, { ...block, reading: own }, options) as Partially<z.output<S>>
}

/**
 * The values as the complete type, once no error was noted. The completeness is checked: throws a TypeError if a value is
 * missing without a problem.
 */
export function wholeOf<S extends z.ZodMiniObject>(schema: S, keys: Partially<z.output<S>>): z.output<S> {
  if (isWhole(schema, keys)) return keys
  throw new TypeError('a value of the configuration is missing, but no problem was reported')
}

/** Every value was validated when it was read, so the configuration is complete if none is missing. */
function isWhole<S extends z.ZodMiniObject>(schema: S, keys: unknown): keys is z.output<S> {
  return hasAll(schema, keys)
}

/** No value is missing below the schema. */
export function hasAll(schema: Schema, value: unknown): boolean {
  const definition = (schema as unknown as z.core.$ZodTypes)._zod.def
  switch (definition.type) {
    case 'optional':
      return value === undefined || hasAll(definition.innerType as Schema, value)
    case 'prefault':
    case 'nonoptional':
      return hasAll(definition.innerType as Schema, value)
    case 'object':
      return (
        isMapping(value) &&
        Object.entries(definition.shape).every(([key, inner]) => hasAll(inner as Schema, value[key]))
      )
    case 'array':
      return Array.isArray(value) && value.every((item) => hasAll(definition.element as Schema, item))
    case 'union':
      return definition.options.some((option) => hasAll(option as Schema, value))
    case 'unknown':
      return true
    default:
      return value !== undefined
  }
}

/** A value that a rule omits only together with an error. Throws a TypeError if it is missing without one. */
export function sure<T>(value: T | undefined): T {
  if (value !== undefined) return value
  throw new TypeError('a rule of the configuration omitted a value, but no problem was reported')
}

/** The first five, which is most blocks. */
function keysIn(shape: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(shape)
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and others`
}

function read(schema: Schema, value: unknown, path: YamlPath, reading: Reading): unknown {
  const definition = (schema as unknown as z.core.$ZodTypes)._zod.def
  switch (definition.type) {
    case 'optional':
      // An empty string counts as absent, as in Determined.
      return isAbsent(value) || value === ''
        ? undefined
        : read(definition.innerType as Schema, value, path, reading)
    case 'prefault':
      return read(definition.innerType as Schema, value ?? definition.defaultValue, path, reading)
    case 'nonoptional':
      return isAbsent(value)
        ? missing(path, reading)
        : read(definition.innerType as Schema, value, path, reading)
    case 'object':
      if (isMapping(value)) return readMapping(schema as z.ZodMiniObject, { raw: value, path, reading }, {})
      return wrongType(value, path, reading, {
        noun: 'a mapping',
        remedy: kinds.get(schema)?.remedy ?? `Write its keys indented below it: ${keysIn(definition.shape)}.`,
      })
    case 'array':
      if (Array.isArray(value)) return readList(definition.element as Schema, value, path, reading)
      return wrongType(value, path, reading, kinds.get(schema))
    case 'record':
      if (isMapping(value)) return readRecord(definition, value, path, reading)
      return wrongType(value, path, reading, {
        noun: 'a mapping',
        remedy: 'Write "name: value" lines indented below it.',
      })
    case 'union':
      return readUnion(schema, definition.options as readonly Schema[], value, path, reading)
    case 'unknown':
      return value
    default:
      return readValue(schema, value, path, reading)
  }
}

function readMapping(
  schema: z.ZodMiniObject,
  block: Block,
  { skip = [], more = [] }: Options,
): Record<string, unknown> {
  const { reading, path, raw } = block
  const { catchall } = schema._zod.def
  const shape = schema._zod.def.shape as Record<string, Schema>
  const result: Record<string, unknown> = {}
  for (const [key, inner] of Object.entries(shape)) {
    if (inner === foreign || skip.includes(key)) continue
    const item = read(inner, Object.hasOwn(raw, key) ? raw[key] : undefined, [...path, key], reading)
    if (item !== undefined) result[key] = item
  }
  const named = kinds.get(schema)?.noun
  const name = named && named !== 'a mapping' ? named : nameOf(path)
  unknownKeys(block, shape, { strict: catchall?._zod.def.type === 'never', name, more })
  return result
}

function readList(element: Schema, items: unknown[], path: YamlPath, reading: Reading): unknown[] {
  return items.flatMap((item, index) => {
    const value = read(element, item, [...path, index], reading)
    return value === undefined ? [] : [value]
  })
}

function readRecord(
  { keyType, valueType }: z.core.$ZodRecordDef,
  raw: Record<string, unknown>,
  path: YamlPath,
  reading: Reading,
): Record<string, unknown> {
  const entries = Object.entries(raw).flatMap(([key, value]) => {
    const at = [...path, key]
    const issue = z.safeParse(keyType, key).error?.issues[0]
    if (issue) {
      const { code, remedy } = issueProblem(keyType as Schema, issue, key, at)
      const noun = kinds.get(keyType as Schema)?.noun ?? 'a string'
      const message = `the name ${JSON.stringify(key)} in ${nameOf(path)} must be ${noun}`
      note({ reading, path: at, raw: {} }, code, message, { ...(remedy && { remedy }) })
    }
    const item = read(valueType as Schema, value, at, reading)
    return issue || item === undefined ? [] : [[key, item]]
  })
  return Object.fromEntries(entries)
}

/** The type of the value selects the option of a union. */
function readUnion(
  schema: Schema,
  options: readonly Schema[],
  value: unknown,
  path: YamlPath,
  reading: Reading,
): unknown {
  const mappings = options.find((option) => ['object', 'record'].includes(option._zod.def.type))
  if (mappings && isMapping(value)) return read(mappings, value, path, reading)
  const list = options.find((option) => option._zod.def.type === 'array')
  // One or several: what is wrong with one of them is reported in its place.
  if (list && Array.isArray(value) && value.length > 0) return read(list, value, path, reading)
  const one = list && options.find((option) => option._zod.def.type === 'string')
  if (one && typeof value === 'string') return read(one, value, path, reading)
  for (const plain of options.filter((option) => option !== mappings)) {
    const text = textFor(plain, value, path, reading)
    if (z.safeParse(plain, text).success) return text
  }
  return wrongType(value, path, reading, kinds.get(schema))
}

function readValue(schema: Schema, value: unknown, path: YamlPath, reading: Reading): unknown {
  const wanted = textFor(schema, value, path, reading)
  const result = z.safeParse(schema, wanted)
  if (result.success) return result.data
  const { code, message, remedy } = issueProblem(schema, result.error.issues[0]!, wanted, path)
  return note({ reading, path, raw: {} }, code, message, { part: 'value', ...(remedy && { remedy }) })
}

/** `no`, `0.50` and `123` are strings for a string key: as written, like in Determined's parser. */
function textFor(schema: Schema, value: unknown, path: YamlPath, reading: Reading): unknown {
  const isPlain = typeof value === 'boolean' || typeof value === 'number'
  return isPlain && takesText(schema) ? (reading.yaml.textOf(path) ?? value) : value
}

function takesText(schema: Schema): boolean {
  const { def } = schema._zod
  if (def.type === 'enum' || def.type === 'literal') return true
  // A duration without its unit is an error, not a string.
  return def.type === 'string'
}

function missing(path: YamlPath, reading: Reading): undefined {
  const block = { reading, path: path.slice(0, -1), raw: {} }
  return note(block, 'CONFIG_MISSING_KEY', missingMessage(path), { part: 'key' })
}

export function missingMessage(path: YamlPath): string {
  return `${nameOf(path)} is missing`
}

function wrongType(
  value: unknown,
  path: YamlPath,
  reading: Reading,
  { noun, remedy }: { noun: string; remedy?: string } = { noun: 'something else' },
): undefined {
  const message = `${nameOf(path)} must be ${noun}, but is ${described(value, path.at(-1))}`
  note({ reading, path, raw: {} }, 'CONFIG_WRONG_TYPE', message, {
    part: 'value',
    ...(remedy && { remedy }),
  })
}

// The block that is being read, and how its problems are noted.

export interface Reading {
  yaml: Pick<YamlText, 'locate' | 'textOf'>
  problems: Problem[]
  /** Warnings that only `provision validate` reports. */
  doubts: Problem[]
  /** Absolute folder that relative paths start from. */
  folder: string
  /** The remedy for an unknown key of the block at a path of the file. */
  elsewhere?: Elsewhere | undefined
}

/** A mapping of the file. */
export interface Block {
  reading: Reading
  path: YamlPath
  raw: Record<string, unknown>
}

export interface At extends Omit<ProblemOptions, 'where'> {
  /** A key of the block, or a path below it; default: the block itself. */
  key?: string | YamlPath
  /** `key` marks the name of the key instead of its value. */
  part?: 'key' | 'value'
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A key without a value counts as absent, as in Determined. */
export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null
}

/** Whether the user set the key; defaults and empty strings do not count. */
export function given({ raw }: Block, key: string): boolean {
  return Object.hasOwn(raw, key) && !isAbsent(raw[key]) && raw[key] !== ''
}

/** Notes a problem; returns undefined, so that a reader can return it. */
export function note(block: Block, code: ProblemCode, message: string, at: At = {}): undefined {
  block.reading.problems.push(problemAt(block, code, message, at))
}

/** Notes a warning that only `provision validate` reports. */
export function doubt(block: Block, code: ProblemCode, message: string, at: At = {}): undefined {
  block.reading.doubts.push(problemAt(block, code, message, at))
}

function problemAt(block: Block, code: ProblemCode, message: string, at: At): Problem {
  const { key = [], part, ...options } = at
  const path = [...block.path, ...(typeof key === 'string' ? [key] : key)]
  const where = block.reading.yaml.locate(path, part ?? (path.length === block.path.length ? 'key' : 'value'))
  return problem(code, message, { ...options, where })
}

/** A nested mapping; undefined if the key is absent or has another type. */
export function inner(block: Block, key: string): Block | undefined {
  const raw = block.raw[key]
  return isMapping(raw) ? { reading: block.reading, path: [...block.path, key], raw } : undefined
}

export function errorCount({ problems }: Reading): number {
  return problems.filter(({ severity }) => severity === 'error').length
}
