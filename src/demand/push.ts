// Demand that a master pushes: the newest push of each pool, while it is fresh.

import * as z from 'zod/mini'
import type { Demand } from '../planner/index.ts'
import { type Clock, firstWrong } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import type { DemandSource } from './source.ts'

export interface PushDemandOptions {
  /**
   * Stops new jobs from being placed on the agent. Resolves once that is in force: every later push shows the agent as
   * draining. False when the agent does not exist. May be called again.
   */
  drain(agentId: string): boolean | Promise<boolean>
  /** Undoes `drain`. */
  undrain(agentId: string): boolean | Promise<boolean>
  clock: Clock
}

export interface PushDemand extends DemandSource {
  readonly kind: 'push'
  /** Replaces everything that was pushed for the pool before. Throws PUSH_REFUSED when it is not valid. */
  push(pool: string, demand: PushedDemand): void
}

/** Milliseconds. An older push causes no launch and no termination (planner: maxSnapshotAge). */
const staleAfter = 15_000

export function createPushDemand(options: PushDemandOptions): PushDemand {
  const { source, take } = createPushSource(options)
  return {
    ...source,
    kind: 'push',
    push(pool, demand) {
      const read = readPush(demand)
      if (!read.ok) throw new ProvisionError(problem('PUSH_REFUSED', read.message))
      take(pool, read.pushed)
    },
  }
}

export interface PushSource {
  source: DemandSource
  /** Accepts a push that has been validated. */
  take(pool: string, pushed: ReadDemand): void
}

export function createPushSource({ drain, undrain, clock }: PushDemandOptions): PushSource {
  const newest = new Map<string, Demand>()
  const listeners = new Set<(pool: string) => void>()

  function isKnown(agentId: string): boolean {
    return [...newest.values()].some(({ agents }) => agents.some(({ id }) => id === agentId))
  }

  function notify(pool: string): void {
    for (const listener of [...listeners])
      try {
        listener(pool)
      } catch {
        // A failing listener does not affect the push.
      }
  }

  const source: DemandSource = {
    kind: 'push',
    async read(pool, signal) {
      signal?.throwIfAborted()
      const demand = newest.get(pool)
      if (!demand) throw new ProvisionError(problem('PUSH_MISSING', `no demand pushed yet for pool ${pool}`))
      const age = clock.now() - demand.at
      if (age <= staleAfter) return demand
      // The message stays the same while the problem lasts: a problem is logged again when its message changes.
      const message = `the newest demand of pool ${pool} is more than ${staleAfter / 1000} s old`
      throw new ProvisionError(problem('PUSH_STALE', message, { details: { age } }))
    },
    onChange(listener) {
      const own = (pool: string) => listener(pool)
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    drain: async (agentId) => isKnown(agentId) && drain(agentId),
    undrain: async (agentId) => isKnown(agentId) && undrain(agentId),
    async close() {
      listeners.clear()
    },
  }
  return {
    source,
    take(pool, pushed) {
      const now = clock.now()
      const before = newest.get(pool)
      // An older push that arrived late is ignored; one from the future does not count, or a clock that is set back
      // would block all pushes.
      if (before && before.at <= now && now - pushed.ageMs < before.at) return
      newest.set(pool, demandOf(pool, pushed, before, now))
      notify(pool)
    },
  }
}

// The agents that a master behind HTTP should give no more jobs, as one list with a version. With each push the master
// returns the version it had applied: only then is it known that its data was collected after it received the drain.

export interface DrainOrders {
  /** Agents that must get no new jobs; all others may get some. */
  drain: string[]
  /** Opaque; to be sent with the first push that was collected after the list was applied, and with all later ones. */
  drainVersion: string
}

export interface DrainList {
  drain(agentId: string): boolean
  undrain(agentId: string): boolean
  orders(isOfPool: (agentId: string) => boolean): DrainOrders
  /** True when a master that had applied `version` had received the drain that is in force. */
  isApplied(agentId: string, version: string | undefined): boolean
  /** True when a drain is in force that a master that had applied `version` had not received. */
  isPending(agentId: string, version: string | undefined): boolean
  /** The agent is gone. */
  forget(agentId: string): void
  ids(): string[]
}

/** @param life differs from one start of the program to the next; versions of an earlier start are ignored */
export function createDrainList(life: string): DrainList {
  const since = new Map<string, number>()
  let version = 0

  function isApplied(agentId: string, applied: string | undefined): boolean {
    const [ofLife, digits] = applied?.split('.') ?? []
    const asked = since.get(agentId)
    return asked !== undefined && ofLife === life && Number(digits) >= asked
  }

  return {
    drain(agentId) {
      if (!since.has(agentId)) since.set(agentId, ++version)
      return true
    },
    undrain(agentId) {
      if (since.delete(agentId)) version++
      return true
    },
    orders: (isOfPool) => ({
      drain: [...since.keys()].filter(isOfPool).sort(),
      drainVersion: `${life}.${version}`,
    }),
    isApplied,
    isPending: (agentId, applied) => since.has(agentId) && !isApplied(agentId, applied),
    forget: (agentId) => void since.delete(agentId),
    ids: () => [...since.keys()],
  }
}

// The data that a master pushes: the waiting allocations and the agents of one pool at one moment.

const id = z.string().check(z.minLength(1), z.maxLength(256))
const count = z.int().check(z.nonnegative(), z.maximum(1_000_000))
/** Milliseconds since the epoch. */
const moment = z.number().check(z.nonnegative())

const jobSchema = z.strictObject({
  id,
  /** Requested slots; 0 for an auxiliary allocation. */
  slots: count,
  /** Allocations of one job share its `maxSlots`; omitted when the scheduler does not enforce it. */
  job: z.optional(id),
  maxSlots: z.optional(count),
  /** Slots that allocations of the same job already use: they also count against `maxSlots`. */
  jobRunningSlots: z.optional(count),
  /** Milliseconds since the epoch; default: when it was first pushed. */
  since: z.optional(moment),
})

const agentSchema = z
  .strictObject({
    /** Id of the VM it runs on: EC2 instance id, GCE instance name, PROVISION_INSTANCE_ID of a local VM. */
    id,
    slots: count,
    freeSlots: count,
    /** Auxiliary allocations it can still take; omitted when the master does not know. */
    freeAux: z.optional(count),
    /** It has jobs of any size, including auxiliary ones. */
    busy: z.boolean(),
    /** Milliseconds since the epoch; default: when it was first pushed without jobs. */
    idleSince: z.optional(moment),
    /** False while it may reconnect. */
    connected: z._default(z.boolean(), true),
    /** False when it gets no jobs, whoever disabled it. */
    enabled: z._default(z.boolean(), true),
    /** It gets no new jobs, and keeps those it has. */
    draining: z._default(z.boolean(), false),
    /**
     * Only the person who disabled it may enable it; on an agent that is not draining, `enabled: false` means the same.
     */
    disabledByPerson: z.optional(z.boolean()),
  })
  .check(
    z.refine(({ slots, freeSlots }) => freeSlots <= slots, { error: 'has more freeSlots than slots' }),
    z.refine(({ slots, freeSlots, busy }) => busy || freeSlots === slots, {
      error: 'is not busy and has slots in use',
    }),
  )

const twice = { error: 'contains the same id twice' }

function isUnique(items: { id: string }[]): boolean {
  const seen = new Set<string>()
  for (const item of items) seen.add(item.id)
  return seen.size === items.length
}

const pushedSchema = z.strictObject({
  pending: z.array(jobSchema).check(z.refine(isUnique, twice)),
  agents: z.array(agentSchema).check(z.refine(isUnique, twice)),
  /** Age of the master's data, in milliseconds. */
  ageMs: z._default(z.number().check(z.nonnegative(), z.maximum(86_400_000)), 0),
  /** Over HTTP: version of the newest list of drains that was applied before the data was collected. */
  drainVersion: z.optional(z.string().check(z.maxLength(100))),
})

export type PushedWork = z.input<typeof jobSchema>
export type PushedAgent = z.input<typeof agentSchema>
/** The complete data of one pool at one moment: what is missing does not exist. */
export type PushedDemand = z.input<typeof pushedSchema>

/** Validated, with its defaults. */
export type ReadDemand = z.output<typeof pushedSchema>

export type ReadPush = { ok: true; pushed: ReadDemand } | { ok: false; message: string }

/** Validates a push; the message names the first invalid field. */
export function readPush(value: unknown): ReadPush {
  const parsed = pushedSchema.safeParse(value)
  if (parsed.success) return { ok: true, pushed: parsed.data }
  return { ok: false, message: firstWrong(parsed.error.issues, 'the demand') }
}

/**
 * Converts a push received at `now`. An allocation without `since` waits since it was first pushed, an agent without
 * `idleSince` is idle since then: `before` is the previous push.
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
