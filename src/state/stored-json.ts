// Records as JSON text: in pieces, so that a long list does not hold the event loop, and as lines with a checksum, so that one
// which a crash has cut is recognized.
import { crc32 } from 'node:zlib'

/** Elements of an array in a piece: about a millisecond of work where they are instances. */
const elements = 500

/**
 * Together the pieces are what JSON.stringify makes of the value. Arrays are cut, also those inside of plain objects; an
 * element is never. The value must not change before the last piece is taken.
 */
export function* jsonPieces(value: unknown): Generator<string> {
  if (Array.isArray(value)) yield* arrayPieces(value)
  else if (isPlainObject(value)) yield* objectPieces(value)
  else yield JSON.stringify(value)
}

function* arrayPieces(values: readonly unknown[]): Generator<string> {
  yield '['
  for (let from = 0; from < values.length; from += elements) {
    const piece = JSON.stringify(values.slice(from, from + elements)).slice(1, -1)
    yield from === 0 ? piece : `,${piece}`
  }
  yield ']'
}

function* objectPieces(value: object): Generator<string> {
  let before = '{'
  for (const [key, member] of Object.entries(value)) {
    // As JSON.stringify does: undefined, functions and symbols have no JSON.
    if (!Array.isArray(member) && !isPlainObject(member) && JSON.stringify(member) === undefined) continue
    yield `${before}${JSON.stringify(key)}:`
    yield* jsonPieces(member)
    before = ','
  }
  yield before === '{' ? '{}' : '}'
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** With its line end. */
export function lineOf(value: unknown): string {
  const json = JSON.stringify(value)
  return `${checksum(json)} ${json}\n`
}

/** undefined for a line that was altered or cut. `line`: without its line end. */
export function checkedValue(line: string): unknown {
  const json = line.slice(9)
  if (line.slice(0, 9) !== `${checksum(json)} `) return undefined
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

export function checksum(text: string): string {
  return hexOf(crc32(text))
}

export function hexOf(sum: number): string {
  return sum.toString(16).padStart(8, '0')
}
