// A validator of the part of JSON Schema (draft-07) that `provision schema` uses. An unknown keyword is an error.
import type { JsonSchema } from '../../../src/config/json-schema.ts'

const silent = new Set([
  '$schema',
  'title',
  'description',
  'default',
  'deprecated',
  'type',
  'additionalProperties',
])

/** The problems, as `path: keyword`; empty when the value is valid. */
export function violations(schema: JsonSchema, value: unknown, path = '$'): string[] {
  const found: string[] = []
  const say = (keyword: string) => found.push(`${path}: ${keyword}`)
  if (schema.type !== undefined && !isOf(schema.type, value)) return [`${path}: type`]
  for (const [keyword, wanted] of Object.entries(schema)) {
    if (silent.has(keyword)) continue
    const check = checks[keyword]
    if (!check) throw new Error(`the validator does not know "${keyword}"`)
    found.push(...check(wanted as never, value, path, say))
  }
  return [...found, ...unexpected(schema, value, path)]
}

type Check = (wanted: never, value: unknown, path: string, say: (keyword: string) => void) => string[]

const fits = (schema: JsonSchema, value: unknown) => violations(schema, value).length === 0

const checks: Record<string, Check> = {
  const: test('const', (wanted, value) => wanted === value),
  enum: test('enum', (wanted: unknown[], value) => wanted.includes(value)),
  minimum: test('minimum', (wanted: number, value) => typeof value !== 'number' || value >= wanted),
  maximum: test('maximum', (wanted: number, value) => typeof value !== 'number' || value <= wanted),
  minLength: test('minLength', (wanted: number, value) =>
    typeof value !== 'string' || value.length >= wanted),
  minItems: test('minItems', (wanted: number, value) => !Array.isArray(value) || value.length >= wanted),
  pattern: test('pattern', (wanted: string, value) =>
    typeof value !== 'string' || new RegExp(wanted, 'u').test(value)),
  anyOf: test('anyOf', (wanted: JsonSchema[], value) => wanted.some((one) => fits(one, value))),
  oneOf: test('oneOf', (wanted: JsonSchema[], value) =>
    wanted.filter((one) => fits(one, value)).length === 1),
  not: test('not', (wanted: JsonSchema, value) => !fits(wanted, value)),
  required: test('required', (wanted: string[], value) =>
    !isObject(value) || wanted.every((key) => Object.hasOwn(value, key))),
  properties: (wanted: Record<string, JsonSchema>, value, path) =>
    isObject(value)
      ? Object.entries(wanted).flatMap(([key, one]) =>
          Object.hasOwn(value, key) ? violations(one, value[key], `${path}.${key}`) : [],
        )
      : [],
  propertyNames: (wanted: JsonSchema, value, path) =>
    isObject(value) ? Object.keys(value).flatMap((key) => violations(wanted, key, `${path}{${key}}`)) : [],
  items: (wanted: JsonSchema, value, path) =>
    Array.isArray(value) ? value.flatMap((item, index) => violations(wanted, item, `${path}[${index}]`)) : [],
}

function test<W>(keyword: string, passes: (wanted: W, value: unknown) => boolean): Check {
  return (wanted, value, _path, say) => {
    if (!passes(wanted as W, value)) say(keyword)
    return []
  }
}

function unexpected(schema: JsonSchema, value: unknown, path: string): string[] {
  const more = schema['additionalProperties']
  if (more === undefined || !isObject(value)) return []
  const extra = Object.keys(value).filter((key) => !Object.hasOwn(schema.properties ?? {}, key))
  if (more === false) return extra.map((key) => `${path}.${key}: additionalProperties`)
  return extra.flatMap((key) => violations(more as JsonSchema, value[key], `${path}.${key}`))
}

function isOf(type: string, value: unknown): boolean {
  switch (type) {
    case 'object':
      return isObject(value)
    case 'array':
      return Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    default: {
      // string, number and boolean have the same names in both type systems.
      const name: string = typeof value
      return name === type
    }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
