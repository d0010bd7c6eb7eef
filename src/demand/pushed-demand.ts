// What a master pushes: the work that waits and the agents of one pool, as they were at one moment.
import * as z from 'zod/mini'
import type { Demand } from '../planner/demand.ts'
import { firstWrong } from '../platform/schema-words.ts'

export interface PushedWork {
  id: string
  /** Slots wanted; 0 is auxiliary work. */
  slots: number
  /** Allocations of one job share its `maxSlots`; left out when the scheduler does not hold jobs to it. */
  job?: string
  maxSlots?: number
  /** Slots that allocations of the same job hold already: they count against `maxSlots` too. */
  jobRunningSlots?: number
  /** Milliseconds since the epoch; left out: since it was first pushed. */
  since?: number
}

export interface PushedAgent {
  /** Id of the VM it runs on: EC2 instance id, GCE instance name, PROVISION_INSTANCE_ID of a local VM. */
  id: string
  slots: number
  freeSlots: number
  /** Auxiliary work it can still take; left out when the master cannot tell. */
  freeAux?: number
  /** It has work of any size, auxiliary work too. */
  busy: boolean
  /** Milliseconds since the epoch; left out: since it was first pushed without work. */
  idleSince?: number
  /** Default: true. False while it may come back. */
  connected?: boolean
  /** Default: true. False when it gets no work, whoever decided that. */
  enabled?: boolean
  /** Default: false. It gets no more work, and keeps what it has. */
  draining?: boolean
}

/** All of one pool at one moment: what is not in it is not there. */
export interface PushedDemand {
  pending: PushedWork[]
  agents: PushedAgent[]
  /** How long ago the master looked, in milliseconds. Default: 0. */
  ageMs?: number
  /** Over HTTP: version of the newest list of drains that was applied before the master looked. */
  drainVersion?: string
}

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
  const seen = new Set<string>()
  for (const item of items) seen.add(item.id)
  return seen.size === items.length
}

const pushedSchema = z.strictObject({
  pending: z.array(pendingSchema).check(z.refine(isUnique, twice)),
  agents: z.array(agentSchema).check(z.refine(isUnique, twice)),
  ageMs: z._default(z.number().check(z.nonnegative(), z.maximum(86_400_000)), 0),
  drainVersion: z.optional(z.string().check(z.maxLength(100))),
})

/** Checked, with its defaults. */
export type ReadDemand = z.output<typeof pushedSchema>

export type ReadPush = { ok: true; pushed: ReadDemand } | { ok: false; message: string }

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
  { pending, agents, ageMs }: ReadDemand,
  before: Demand | undefined,
  now: number,
): Demand {
  const waiting = new Map(before?.pending.map((work) => [work.id, work.since]))
  const idle = new Map(before?.agents.map((agent) => [agent.id, agent.idleSince]))
  return {
    pool,
    at: now - ageMs,
    pending: pending.map((work) => ({ ...work, since: work.since ?? waiting.get(work.id) ?? now })),
    agents: agents.map(({ idleSince, ...agent }) =>
      agent.busy ? agent : { ...agent, idleSince: idleSince ?? idle.get(agent.id) ?? now },
    ),
  }
}
