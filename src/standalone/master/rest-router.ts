// The master's routes, with errors in the format of Determined's gateway (Determined: internal/grpcutil/errors.go).
import { answerRoutes, type Failure, type Reply, type Route } from '../../http/index.ts'
import type { Handler } from '../../platform/index.ts'
import type { Problem } from '../../problems/index.ts'

export { ok, type Reply, type Route } from '../../http/index.ts'

/** gRPC's code and name for each HTTP status of the gateway. */
const grpc: Record<number, [number, string]> = {
  400: [3, 'InvalidArgument'],
  401: [16, 'Unauthenticated'],
  404: [5, 'NotFound'],
  405: [12, 'Unimplemented'],
  409: [9, 'FailedPrecondition'],
  413: [8, 'ResourceExhausted'],
  500: [13, 'Internal'],
  503: [14, 'Unavailable'],
}

/** @param found for our own clients: its code and remedy */
export function failure(status: number, text: string, found?: Problem): Reply {
  const [code, reason] = grpc[status] ?? [2, 'Unknown']
  const problem = found && { code: found.code, message: found.message, remedy: found.remedy }
  return { status, value: { error: { code, reason, error: text, problem } } satisfies Failure }
}

export function routesHandler(routes: Route[]): Handler {
  return answerRoutes(routes, failure)
}

// Pagination as in Determined (master/internal/api/paginate.go).

export interface Pagination {
  offset: number
  limit: number
  startIndex: number
  endIndex: number
  total: number
}

export type Page<T> = { ok: true; items: T[]; pagination: Pagination } | { ok: false; message: string }

/** `offset` below 0 counts from the end; `limit` 0 means `defaultLimit`, and by default no limit. */
export function page<T>(items: T[], query: URLSearchParams, defaultLimit = 0): Page<T> {
  const offset = whole(query.get('offset'))
  const requested = whole(query.get('limit'))
  if (offset === undefined || requested === undefined || requested < 0)
    return { ok: false, message: 'offset and limit must be integers, and limit must not be negative' }
  const total = items.length
  if (Math.abs(offset) > total)
    return { ok: false, message: `offset ${offset} out of bounds: there are ${total}` }
  const limit = requested || defaultLimit
  const startIndex = offset < 0 ? total + offset : offset
  const endIndex = limit === 0 ? total : Math.min(total, startIndex + limit)
  return {
    ok: true,
    items: items.slice(startIndex, endIndex),
    pagination: { offset, limit, startIndex, endIndex, total },
  }
}

function whole(text: string | null): number | undefined {
  if (text === null || text === '') return 0
  return /^-?\d{1,9}$/.test(text) ? Number(text) : undefined
}

/** Reads a boolean in a query like protobuf's gateway. */
export function isTrue(text: string | null): boolean {
  return text === 'true' || text === '1'
}

// Times in the format of the REST API.

/** RFC 3339; null for an event that has not happened. */
export function timestamp(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}
