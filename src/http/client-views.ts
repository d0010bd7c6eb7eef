// A running provisioner as its doors show it: what this client relies on, everything else let through.
import * as z from 'zod/mini'

const id = z.string()
const time = z.number()
const count = z.number()
const optional = { text: z.optional(z.string()), time: z.optional(time), count: z.optional(count) }

const problemSchema = z.looseObject({
  code: z.string(),
  severity: z.enum(['error', 'warning']),
  message: z.string(),
  remedy: z.string(),
})

const reasonSchema = z.looseObject({
  code: z.string(),
  meaning: z.string(),
  remedy: optional.text,
  numbers: z.record(z.string(), count),
  work: z.optional(z.array(id)),
  problem: z.optional(problemSchema),
})

const runningPool = z.looseObject({
  pool: id,
  provider: z.string(),
  state: z.enum(['ok', 'held', 'paused']),
  minInstances: count,
  maxInstances: count,
  live: count,
  joined: count,
  inFlight: count,
  pending: count,
  slots: count,
  freeSlots: count,
  foreignWriters: z.array(id),
  holds: z.array(reasonSchema),
  problems: z.array(problemSchema),
})

const failedPool = z.looseObject({
  pool: id,
  provider: z.string(),
  state: z.literal('failed'),
  problems: z.array(problemSchema),
})

const poolSchema = z.discriminatedUnion('state', [runningPool, failedPool])

export const statusSchema = z.looseObject({
  version: z.string(),
  clusterId: id,
  demand: z.string(),
  startedAt: time,
  now: time,
  pools: z.array(poolSchema),
})

/** `snapshot` is what its last turn saw, as `provision explain --snapshot` reads it; none before the first turn. */
export const poolStatusSchema = z.looseObject({
  pool: z.looseObject({ ...runningPool.shape, snapshot: z.optional(z.looseObject({})) }),
})

export const instancesSchema = z.looseObject({
  instances: z.array(
    z.looseObject({
      id,
      pool: id,
      state: z.string(),
      stateReason: optional.text,
      instanceType: z.string(),
      zone: z.string(),
      capacityType: z.string(),
      launchedAt: time,
      joinedAt: optional.time,
      agent: z.enum(['waiting', 'joined', 'lost']),
      slots: optional.count,
      busy: z.boolean(),
      doing: z.optional(z.enum(['ending', 'draining', 'ordered'])),
    }),
  ),
})

export const agentsSchema = z.looseObject({
  agents: z.array(
    z.looseObject({
      id,
      pool: id,
      state: z.enum(['joined', 'lost']),
      slots: count,
      freeSlots: count,
      busy: z.boolean(),
      idleSince: optional.time,
      enabled: z.boolean(),
      draining: z.boolean(),
      ours: z.boolean(),
      tlsVersion: optional.text,
      certificateName: optional.text,
    }),
  ),
})

export const eventsSchema = z.looseObject({
  events: z.array(z.looseObject({ at: time, kind: z.string() })),
})

export const removedSchema = z.looseObject({
  ids: z.array(id),
  waits: z.array(z.looseObject({ ...reasonSchema.shape, pool: id })),
})
export const launchedSchema = z.looseObject({ pool: id, count, intent: id })
export const adoptedSchema = z.looseObject({ pool: id, writers: z.array(id) })
export const toldSchema = z.looseObject({ pool: id })
export const refusedSchema = z.looseObject({
  error: z.looseObject({
    code: z.string(),
    message: z.string(),
    remedy: z.string(),
    details: z.optional(z.record(z.string(), z.unknown())),
  }),
})

export type FleetStatus = z.infer<typeof statusSchema>
export type PoolOverview = z.infer<typeof poolSchema>
export type PoolStatusView = z.infer<typeof poolStatusSchema>['pool']
export type InstanceView = z.infer<typeof instancesSchema>['instances'][number]
export type AgentView = z.infer<typeof agentsSchema>['agents'][number]
export type LoggedEvent = z.infer<typeof eventsSchema>['events'][number]
export type ReasonView = z.infer<typeof reasonSchema>
export type Removed = z.infer<typeof removedSchema>

// Work as the master shows it: what this client relies on, everything else let through.

const containerSchema = z.looseObject({
  agent: z.string(),
  id: z.string(),
  state: z.string(),
  exitCode: z.nullable(z.number()),
})

const workSchema = z.looseObject({
  id: z.string(),
  task: z.string(),
  name: z.string(),
  resourcePool: z.string(),
  slots: z.number(),
  priority: z.number(),
  state: z.enum(['pending', 'running', 'ending', 'finished', 'failed', 'killed', 'lost']),
  reason: z.string(),
  duration: z.optional(z.string()),
  command: z.optional(z.array(z.string())),
  submittedAt: z.nullable(z.string()),
  startedAt: z.nullable(z.string()),
  endedAt: z.nullable(z.string()),
  containers: z.array(containerSchema),
})

const lineSchema = z.looseObject({
  containerId: z.string(),
  stream: z.enum(['stdout', 'stderr', 'agent']),
  text: z.string(),
})

export const oneWork = z.looseObject({ work: workSchema })
export const allWork = z.looseObject({ work: z.array(workSchema) })
export const workLogs = z.looseObject({ logs: z.array(lineSchema), count: z.number() })
export const poolNames = z.looseObject({ resourcePools: z.array(z.looseObject({ name: z.string() })) })
export const failureWords = z.looseObject({ error: z.looseObject({ error: z.string() }) })

export type WorkView = z.infer<typeof workSchema>
export type LogLine = z.infer<typeof lineSchema>
export type WorkLogs = z.infer<typeof workLogs>

export function isOver({ state }: WorkView): boolean {
  return ['finished', 'failed', 'killed', 'lost'].includes(state)
}
