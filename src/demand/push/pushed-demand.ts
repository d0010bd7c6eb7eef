// What a master pushes: the work that waits and the agents of one pool, as they were at one moment.
import * as z from 'zod/mini'
import type { Demand } from '../../model/demand.ts'
import { firstWrong } from '../../platform/schema-words.ts'

const id = z.string().check(z.minLength(1), z.maxLength(256))
const count = z.int().check(z.nonnegative(), z.maximum(1_000_000))
/** Milliseconds since the epoch. */
const moment = z.number().check(z.nonnegative())

const pendingSchema = z.strictObject({
  id,
  slots: count,
  job: z.optional(id),
  maxSlots: z.optional(count),
  jobRunningSlots: z.optional(count),
  since: z.optional(moment),
})

const agentSchema = z
  .strictObject({
    id,
    slots: count,
    freeSlots: count,
    freeAux: z.optional(count),
    busy: z.boolean(),
    idleSince: z.optional(moment),
    connected: z._default(z.boolean(), true),
    enabled: z._default(z.boolean(), true),
    draining: z._default(z.boolean(), false),
  })
  .check(
    z.refine(({ slots, freeSlots }) => freeSlots <= slots, { error: 'has more freeSlots than slots' }),
    z.refine(({ slots, freeSlots, busy }) => busy || freeSlots === slots, {
      error: 'is not busy and has slots in use',
    }),
  )

const twice = { error: 'holds the same id twice' }

function isUnique(items: { id: string }[]): boolean {
  return new Set(items.map((item) => item.id)).size === items.length
}

const pushedSchema = z.strictObject({
  pending: z.array(pendingSchema).check(z.refine(isUnique, twice)),
  agents: z.array(agentSchema).check(z.refine(isUnique, twice)),
  ageMs: z._default(z.number().check(z.nonnegative(), z.maximum(86_400_000)), 0),
  drainVersion: z.optional(z.string().check(z.maxLength(100))),
})

/** As a master writes it; docs/push.md says what each field means. */
export type PushedDemand = z.input<typeof pushedSchema>

export type ReadPush = { ok: true; pushed: z.output<typeof pushedSchema> } | { ok: false; message: string }

/** Checks what came; the message names the first field that is wrong. */
export function readPush(value: unknown): ReadPush {
  const parsed = pushedSchema.safeParse(value)
  if (parsed.success) return { ok: true, pushed: parsed.data }
  return { ok: false, message: firstWrong(parsed.error.issues, 'the demand') }
}

/**
 * Takes over a push that came at `now`. Work without `since` waits since it was first shown, an agent without
 * `idleSince` is idle since then: `before` is the push before it.
 */
export function demandOf(
  pool: string,
  { pending, agents, ageMs }: z.output<typeof pushedSchema>,
  before: Demand | undefined,
  now: number,
): Demand {
  const waiting = new Map(before?.pending.map((work) => [work.id, work.since]))
  const idle = new Map(before?.agents.map((agent) => [agent.id, agent.idleSince]))
  return {
    pool,
    at: Math.max(now - ageMs, before?.at ?? 0),
    pending: pending.map((work) => ({ ...work, since: work.since ?? waiting.get(work.id) ?? now })),
    agents: agents.map(({ idleSince, ...agent }) =>
      agent.busy ? agent : { ...agent, idleSince: idleSince ?? idle.get(agent.id) ?? now },
    ),
  }
}
