// Reads a mapping key by key, so that one wrong value does not hide what the others say.
import * as z from 'zod/mini'
import { foreign, kinds } from './fields.ts'
import { described, tell } from './issues.ts'
import { type Block, isAbsent, isMapping, nameOf, note, type Reading } from './reading.ts'
import { unknownKeys } from './unknown-keys.ts'
import type { YamlPath } from './yaml.ts'

/** What could be read: wrong and missing values are left out at any depth. */
export type Partially<T> = T extends readonly (infer Item)[]
  ? Partially<Item>[]
  : T extends object
    ? { [Key in keyof T]?: Partially<T[Key]> }
    : T

type Schema = z.ZodMiniType

interface Options {
  /** Keys that are read elsewhere. */
  skip?: string[]
  /** The remedy for a key that belongs elsewhere, when it turns up here. */
  elsewhere?: (key: string) => string | undefined
}

export function readBlock<S extends z.ZodMiniObject>(
  schema: S,
  block: Block,
  options: Options = {},
): Partially<z.output<S>> {
  return readMapping(schema, block, options) as Partially<z.output<S>>
}

function read(schema: Schema, value: unknown, path: YamlPath, reading: Reading): unknown {
  const definition = (schema as unknown as z.core.$ZodTypes)._zod.def
  switch (definition.type) {
    case 'optional':
      // An empty text counts as absent, as for the origin.
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
        remedy: 'Write its keys below it, indented.',
      })
    case 'array':
      if (Array.isArray(value)) return readList(definition.element as Schema, value, path, reading)
      return wrongType(value, path, reading, kinds.get(schema))
    case 'record':
      if (isMapping(value)) return readRecord(definition, value, path, reading)
      return wrongType(value, path, reading, {
        noun: 'a mapping',
        remedy: 'Write "name: value" lines below it, indented.',
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
  { skip = [], elsewhere }: Options,
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
  const name = kinds.get(schema)?.noun ?? nameOf(path)
  unknownKeys(block, shape, { strict: catchall?._zod.def.type === 'never', name, elsewhere })
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
      const { code, remedy } = tell(keyType as Schema, issue, key, at)
      const noun = kinds.get(keyType as Schema)?.noun ?? 'a text'
      const message = `The name ${JSON.stringify(key)} in ${nameOf(path)} must be ${noun}`
      note({ reading, path: at, raw: {} }, code, message, { ...(remedy && { remedy }) })
    }
    const item = read(valueType as Schema, value, at, reading)
    return issue || item === undefined ? [] : [[key, item]]
  })
  return Object.fromEntries(entries)
}

/** Every union here is told apart by the value's type. */
function readUnion(
  schema: Schema,
  options: readonly Schema[],
  value: unknown,
  path: YamlPath,
  reading: Reading,
): unknown {
  const mappings = options.find((option) => ['object', 'record'].includes(option._zod.def.type))
  if (mappings && isMapping(value)) return read(mappings, value, path, reading)
  const plain = options.find((option) => option !== mappings) ?? schema
  const text = textFor(plain, value, path, reading)
  if (z.safeParse(plain, text).success) return text
  return wrongType(value, path, reading, kinds.get(schema))
}

function readValue(schema: Schema, value: unknown, path: YamlPath, reading: Reading): unknown {
  const wanted = textFor(schema, value, path, reading)
  const result = z.safeParse(schema, wanted)
  if (result.success) return result.data
  const { code, message, remedy } = tell(schema, result.error.issues[0]!, wanted, path)
  return note({ reading, path, raw: {} }, code, message, { part: 'value', ...(remedy && { remedy }) })
}

/** `no`, `0.50` and `123` are texts where a text is wanted: as written, as for the origin's parser. */
function textFor(schema: Schema, value: unknown, path: YamlPath, reading: Reading): unknown {
  const isPlain = typeof value === 'boolean' || typeof value === 'number'
  return isPlain && takesText(schema) ? (reading.yaml.textOf(path) ?? value) : value
}

function takesText(schema: Schema): boolean {
  const { def } = schema._zod
  if (def.type === 'enum' || def.type === 'literal') return true
  // A duration without its unit is a mistake, not a text.
  return def.type === 'string'
}

function missing(path: YamlPath, reading: Reading): undefined {
  const block = { reading, path: path.slice(0, -1), raw: {} }
  return note(block, 'CONFIG_MISSING_KEY', `${nameOf(path)} is missing`, { part: 'key' })
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
