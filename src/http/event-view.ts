// Decisions and their results, and the query for them: `GET /v1/events`.

import * as z from 'zod/mini'

/** Each kind has its own fields, as in the decision log. */
export const eventsSchema = z.object({
  events: z.array(z.looseObject({ at: z.number(), kind: z.string() })),
})

export type LoggedEvent = z.output<typeof eventsSchema>['events'][number]

const wholeNumber = z.optional(z.coerce.number().check(z.int(), z.gte(0), z.lte(1e15)))

/** Query parameters; `since` is milliseconds since the epoch. */
export const eventQuerySchema = z.object({
  pool: z.optional(z.string()),
  since: wholeNumber,
  limit: wholeNumber,
})

/** Nothing older than `since`, the newest `limit`. */
export type EventQuery = z.output<typeof eventQuerySchema>

/** The largest limit, and the default. */
export const eventLimits = { most: 10_000, default: 100 }
