// Messages are unions as Go writes them: an object with every member present and all but one null.
import { type Reader, WireError } from './read.ts'

export type Decoded<T> = { ok: true; message: T } | { ok: false; reason: string }

/** Readers of a union's members, by their PascalCase names. */
export type Members<T extends object> = { [K in keyof T]-?: Reader<Exclude<T[K], null>> }

/** Every member, the unused ones null: what Go's encoder writes and older decoders expect. */
export function encodeUnion<T extends object>(members: Members<T>, message: Partial<T>): string {
  const whole: Record<string, unknown> = {}
  for (const name of Object.keys(members)) whole[name] = message[name as keyof T] ?? null
  return JSON.stringify(whole)
}

/**
 * Understands one frame. Members of newer versions are ignored beside one we know; none or several known members,
 * `null`, or anything that is not such an object is not understood. Never throws.
 */
export function decodeUnion<T extends object>(members: Members<T>, frame: string): Decoded<T> {
  try {
    const value: unknown = JSON.parse(frame)
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { ok: false, reason: `expected an object, got ${describe(value)}` }
    const given = Object.entries(value).filter(([, member]) => member !== null)
    const known = given.filter(([name]) => Object.hasOwn(members, name))
    if (known.length !== 1) return { ok: false, reason: reasonFor(known, given) }
    const [name, member] = known[0]!
    const message: Record<string, unknown> = {}
    for (const other of Object.keys(members)) message[other] = null
    message[name] = members[name as keyof T](member as never, name)
    return { ok: true, message: message as T }
  } catch (error) {
    if (error instanceof WireError) return { ok: false, reason: error.message }
    return { ok: false, reason: `not JSON: ${(error as Error).message.slice(0, 100)}` }
  }
}

function describe(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`
}

function reasonFor(known: [string, unknown][], given: [string, unknown][]): string {
  if (known.length > 1) return `several members at once: ${known.map(([name]) => name).join(', ')}`
  if (given.length === 0) return 'no member is set'
  return `no known member: ${given
    .map(([name]) => name.slice(0, 40))
    .slice(0, 5)
    .join(', ')}`
}
