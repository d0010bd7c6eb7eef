// The bodies of orders, checked at the door.
import * as z from 'zod/mini'
import { firstWrong } from '../platform/schema-words.ts'
import { ProvisionError, problem } from '../problems/problem.ts'

const ids = z
  .array(z.string().check(z.minLength(1), z.maxLength(256)))
  .check(z.minLength(1), z.maxLength(10_000))

export const launchBody = z.strictObject({ count: z.int().check(z.gte(1), z.lte(100_000)) })
export const drainBody = z.strictObject({ ids })
export const terminateBody = z.strictObject({ ids, force: z._default(z.boolean(), false) })
export const emptyBody = z.strictObject({})

const wholeNumber = z.optional(z.coerce.number().check(z.int(), z.gte(0), z.lte(1e15)))
const eventWords = z.object({ pool: z.optional(z.string()), since: wholeNumber, limit: wholeNumber })
const mostEvents = 10_000

/** Of `GET /v1/events`. Throws ORDER_REFUSED. */
export function eventQuery(query: URLSearchParams): { pool?: string; since?: number; limit: number } {
  const { limit = 100, ...rest } = readBody(eventWords, Object.fromEntries(query))
  return { ...rest, limit: Math.min(limit, mostEvents) }
}

/** Throws ORDER_REFUSED with the first thing that is wrong. */
export function readBody<T>(schema: z.ZodMiniType<T>, body: unknown): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw new ProvisionError(problem('ORDER_REFUSED', firstWrong(parsed.error.issues, 'the body')))
}
