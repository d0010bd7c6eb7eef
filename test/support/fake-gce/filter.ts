// Filters like Compute Engine's: `(labels.a = "b") AND (name = "c")`, or the same with OR.
// https://google.aip.dev/160
import { GceFault } from './rest.ts'

export type Matches = (read: (field: string) => string | undefined) => boolean

export function filterOf(text: string | null): Matches {
  if (!text) return () => true
  // https://github.com/kubernetes/kubernetes/pull/27741
  if (text.length > 4096)
    throw new GceFault(400, 'invalid', `Invalid value for field 'filter': its length is ${text.length}`)
  const either = text.includes(') OR (')
  const terms = text.split(either ? ' OR ' : ' AND ').map(term)
  return (read) => {
    const results = terms.map(({ field, value }) => read(field) === value)
    return either ? results.includes(true) : !results.includes(false)
  }
}

function term(text: string): { field: string; value: string } {
  const [, field, value] = /^\(([\w.-]+) = "([^"]*)"\)$/.exec(text) ?? []
  if (field === undefined || value === undefined)
    throw new GceFault(
      400,
      'invalid',
      `Invalid value for field 'filter': '${text}'. Invalid list filter expression.`,
    )
  return { field, value }
}

/** `pageToken` is the number of items already returned. */
export function page<T>(all: T[], query: URLSearchParams): { shown: T[]; nextPageToken?: string } {
  const size = Number(query.get('maxResults') ?? 500)
  if (!(size >= 1 && size <= 500))
    throw new GceFault(400, 'invalid', `Invalid value for field 'maxResults': '${size}'`)
  const from = Number(query.get('pageToken') ?? 0)
  const shown = all.slice(from, from + size)
  return from + size < all.length ? { shown, nextPageToken: String(from + size) } : { shown }
}
