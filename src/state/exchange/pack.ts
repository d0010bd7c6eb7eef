// A large value as bytes and back: in pieces, so that other work runs in between, and compressed outside of the event loop.
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { turns } from '../../platform/index.ts'

const compress = promisify(gzip)
const decompress = promisify(gunzip)

/** Elements of an array in a piece: about a millisecond of work where they are instances. */
const elements = 250

/** The elements of an array that is empty in the first line. */
interface Piece {
  at: string[]
  items: unknown[]
}

/** The value must have JSON, be made of plain objects and arrays, and not change meanwhile. */
export async function packed(value: object): Promise<Uint8Array> {
  const pieces: Piece[] = []
  const turn = turns()
  const lines = [Buffer.from(JSON.stringify(withoutLists(value, [], pieces)))]
  for (const piece of pieces) {
    lines.push(Buffer.from(`\n${JSON.stringify(piece)}`))
    await turn()
  }
  return compress(Buffer.concat(lines), { level: 1 })
}

/** Throws an Error for anything that `packed` has not made. */
export async function unpacked(bytes: Uint8Array): Promise<unknown> {
  const lines = (await decompress(bytes)).toString('utf8').split('\n')
  const turn = turns()
  const value: unknown = JSON.parse(lines[0]!)
  for (const line of lines.slice(1)) {
    const { at, items } = JSON.parse(line) as Piece
    const list = at.reduce((inside: unknown, key) => (inside as Record<string, unknown>)[key], value)
    if (!Array.isArray(list) || !Array.isArray(items)) throw new Error(`no list at ${at.join('.')}`)
    list.push(...items)
    await turn()
  }
  return value
}

function withoutLists(value: unknown, at: string[], pieces: Piece[]): unknown {
  if (Array.isArray(value)) {
    if (value.length <= elements) return value
    for (let from = 0; from < value.length; from += elements)
      pieces.push({ at, items: value.slice(from, from + elements) })
    return []
  }
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, withoutLists(member, [...at, key], pieces)]),
  )
}
