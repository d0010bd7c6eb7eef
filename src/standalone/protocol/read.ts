// Reads values out of parsed JSON the way Go's decoder fills a struct: a missing or null field is the zero value,
// an unknown field is ignored, a field of the wrong type makes the whole message bad.

/** Why a message is not understood, with the path of the member at fault. Never leaves this folder as an exception. */
export class WireError extends Error {}

export type Reader<T> = (value: unknown, path: string) => T

export function fail(path: string, expected: string): never {
  throw new WireError(`${path || 'message'}: expected ${expected}`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Text of at most `limit` characters; missing is ''. */
export function text(limit: number): Reader<string> {
  return (value, path) => {
    if (value === undefined || value === null) return ''
    if (typeof value !== 'string') fail(path, 'a string')
    if (value.length > limit) fail(path, `at most ${limit} characters, got ${value.length}`)
    return value
  }
}

/** A whole number; missing is 0. */
export const integer: Reader<number> = (value, path) => {
  if (value === undefined || value === null) return 0
  if (!Number.isSafeInteger(value)) fail(path, 'a whole number')
  return value as number
}

/** Missing is false. */
export const flag: Reader<boolean> = (value, path) => {
  if (value === undefined || value === null) return false
  if (typeof value !== 'boolean') fail(path, 'true or false')
  return value
}

/** One of the given words; missing is ''. */
export function word<T extends string>(words: readonly T[]): Reader<T> {
  return (value, path) => {
    const found = words.find((w) => w === (value ?? ''))
    if (found === undefined) fail(path, `one of ${words.map((w) => JSON.stringify(w)).join(', ')}`)
    return found
  }
}

/** A list of at most `limit` items; missing is []. */
export function list<T>(item: Reader<T>, limit: number): Reader<T[]> {
  return (value, path) => {
    if (value === undefined || value === null) return []
    if (!Array.isArray(value)) fail(path, 'a list')
    if (value.length > limit) fail(path, `at most ${limit} items, got ${value.length}`)
    return value.map((entry, i) => item(entry, `${path}[${i}]`))
  }
}

/** A pointer in Go's sense: missing is null. */
export function nullable<T>(read: Reader<T>): Reader<T | null> {
  return (value, path) => (value === undefined || value === null ? null : read(value, path))
}

/** A map of text to text; missing is {}. */
export function labels(limit: number): Reader<Record<string, string>> {
  const one = text(limit)
  return (value, path) => {
    if (value === undefined || value === null) return {}
    if (!isObject(value)) fail(path, 'an object')
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, one(entry, `${path}.${key}`)]),
    )
  }
}

/** Anything: kept as it came, for members whose inside is nobody's business here. */
export const anything: Reader<unknown> = (value) => value ?? null

/** An object with the given members. */
export function object<T extends object>(members: { [K in keyof T]: Reader<T[K]> }): Reader<T> {
  const entries = Object.entries(members) as [string, Reader<unknown>][]
  return (value, path) => {
    if (!isObject(value)) fail(path, 'an object')
    const prefix = path ? `${path}.` : ''
    return Object.fromEntries(entries.map(([key, read]) => [key, read(value[key], prefix + key)])) as T
  }
}
