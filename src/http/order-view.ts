// Commands to a running provisioner: the request body of each, which the endpoint checks, and the response.

import * as z from 'zod/mini'
import { reasonSchema } from './reason-view.ts'

const ids = z
  .array(z.string().check(z.minLength(1), z.maxLength(256)))
  .check(z.minLength(1), z.maxLength(10_000))

/** `POST /v1/pools/{pool}/pause`, `/resume`, `/adopt`, `/rollout/pause`, `/rollout/restart` */
export const poolOrderSchema = z.strictObject({})
/** `POST /v1/pools/{pool}/launch` */
export const launchOrderSchema = z.strictObject({ count: z.int().check(z.gte(1), z.lte(100_000)) })
/** `POST /v1/instances/drain`, `/undrain` */
export const drainOrderSchema = z.strictObject({ ids })
/** `POST /v1/instances/terminate` */
export const terminateOrderSchema = z.strictObject({ ids, force: z._default(z.boolean(), false) })

/** The bodies that clients send. */
export type LaunchOrder = z.input<typeof launchOrderSchema>
export type DrainOrder = z.input<typeof drainOrderSchema>
export type TerminateOrder = z.input<typeof terminateOrderSchema>

/** Response to pause and resume, of pools and rollouts. */
export const acceptedSchema = z.object({ pool: z.string() })
/** `POST /v1/orphans/adopt` */
export const adoptedOrphansSchema = z.object({ writers: z.array(z.string()) })
export const adoptedSchema = z.object({ pool: z.string(), writers: z.array(z.string()) })
export const launchedSchema = z.object({ pool: z.string(), count: z.number(), intent: z.string() })
/** Response to drain, undrain and terminate; `waits` is what blocks removals in the pools now. */
export const removedSchema = z.object({
  ids: z.array(z.string()),
  waits: z.array(z.extend(reasonSchema, { pool: z.string() })),
})

export type Accepted = z.output<typeof acceptedSchema>
export type AdoptedOrphans = z.output<typeof adoptedOrphansSchema>
export type Adopted = z.output<typeof adoptedSchema>
export type Launched = z.output<typeof launchedSchema>
export type Removed = z.output<typeof removedSchema>
