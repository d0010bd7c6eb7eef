// What was decided and what became of it, and how it is asked for: `GET /v1/events`.

import * as z from 'zod/mini'

/** Each kind has fields of its own, as the log of decisions keeps them. */
export const eventsSchema = z.object({
  events: z.array(z.looseObject({ at: z.number(), kind: z.string() })),
})

export type LoggedEvent = z.output<typeof eventsSchema>['events'][number]

const wholeNumber = z.optional(z.coerce.number().check(z.int(), z.gte(0), z.lte(1e15)))

/** The words of a URL; `since` is milliseconds since the epoch. */
export const eventQuerySchema = z.object({
  pool: z.optional(z.string()),
  since: wholeNumber,
  limit: wholeNumber,
})

/** Nothing older than `since`, the newest `limit`. */
export type EventQuery = z.output<typeof eventQuerySchema>

/** As many as are answered at once, and where the query names no limit. */
export const eventLimits = { most: 10_000, default: 100 }
