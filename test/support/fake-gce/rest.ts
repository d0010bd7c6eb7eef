// Compute Engine's REST conventions: errors with a nested reason, answers reduced to the requested fields.

/** Thrown by handlers, and answered like Google. */
export class GceFault extends Error {
  readonly reason: string
  readonly status: number

  constructor(status: number, reason: string, message: string) {
    super(message)
    this.reason = reason
    this.status = status
  }
}

export function errorBody({ reason, message, status }: GceFault): object {
  return { error: { code: status, message, errors: [{ message, domain: 'global', reason }] } }
}

export type Json = { [name: string]: unknown }

/** The input of a handler: names from the path, the query, and the body. */
export interface Call {
  path: Record<string, string>
  query: URLSearchParams
  body: Json
}

/**
 * `nextPageToken,items/{zone}/instances(name,zone),error(errors(code))`: the part of an answer in a partial response
 * (https://cloud.google.com/compute/docs/api/how-tos/performance#partial-response).
 */
export function partial(value: Json, mask: string | null): Json {
  return mask ? (cut(value, parse(mask)) as Json) : value
}

interface Mask {
  [name: string]: Mask
}

function parse(text: string): Mask {
  const mask: Mask = {}
  for (const part of split(text)) {
    const [, name = '', below, inside] = /^([^/(]+)(?:\/(.*)|\((.*)\))?$/.exec(part) ?? []
    if (!name) throw new GceFault(400, 'invalidParameter', `Invalid field selection ${part}`)
    mask[name] = { ...mask[name], ...(below || inside ? parse((below ?? inside)!) : {}) }
  }
  return mask
}

/** At commas outside of parentheses. */
function split(text: string): string[] {
  const parts = ['']
  let depth = 0
  for (const character of text) {
    if (character === '(') depth++
    if (character === ')') depth--
    if (character === ',' && depth === 0) parts.push('')
    else parts[parts.length - 1] += character
  }
  return parts
}

function cut(value: unknown, mask: Mask): unknown {
  if (!Object.keys(mask).length || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((one) => cut(one, mask))
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, content]) => {
      const below = mask[name] ?? mask['*']
      return below ? [[name, cut(content, below)]] : []
    }),
  )
}
