// Answers of the fake master: its JSON, errors and pages.

export interface Answer {
  status: number
  value: unknown
}

export const ok = (value: unknown): Answer => ({ status: 200, value })

const reasons: Record<number, [number, string]> = {
  400: [3, 'InvalidArgument'],
  401: [16, 'Unauthenticated'],
  403: [7, 'PermissionDenied'],
  404: [5, 'NotFound'],
  500: [2, 'Unknown'],
}

/** `internal`: an error of the master itself, which gRPC tells apart from an unknown one. */
export function failure(status: number, error: string, { internal = false } = {}): Answer {
  const [code, reason] = (internal ? undefined : reasons[status]) ?? [13, 'Internal']
  return { status, value: { error: { code, reason, error } } }
}

/** `limit` 0 means `standard`, and no limit when that is 0, too. An offset beyond the end is rejected. */
export function paged<T>(key: string, items: T[], query: URLSearchParams, standard = 0): Answer {
  const offset = Number(query.get('offset') ?? 0)
  const limit = Number(query.get('limit') ?? 0) || standard
  if (offset > items.length) return failure(400, 'offset out of bounds')
  const endIndex = limit === 0 ? items.length : Math.min(items.length, offset + limit)
  const pagination = { offset, limit, startIndex: offset, endIndex, total: items.length }
  return ok({ [key]: items.slice(offset, endIndex), pagination })
}
