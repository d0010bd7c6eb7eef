// A job of the built-in master, as submitted and as shown: the endpoints below /provision/v1/jobs.

import * as z from 'zod/mini'
import { problemSchema } from './reason-view.ts'

/** Body of `POST /provision/v1/jobs`; the master sets the values of omitted fields. */
export const jobOrderSchema = z.object({
  id: z.string(),
  name: z.optional(z.string()),
  resourcePool: z.optional(z.string()),
  slots: z.optional(z.number()),
  priority: z.optional(z.number()),
  /** In Go's syntax, such as `10m`; this or `command`. */
  duration: z.optional(z.string()),
  command: z.optional(z.array(z.string())),
  env: z.optional(z.record(z.string(), z.string())),
  workingDirectory: z.optional(z.string()),
  /** Run the command in a container of this image, which needs Determined's agents. */
  image: z.optional(z.string()),
  /** Accept it even if the pool as it is can never run it. */
  force: z.optional(z.boolean()),
})

export type JobOrder = z.output<typeof jobOrderSchema>

const containerSchema = z.object({
  id: z.string(),
  agent: z.string(),
  /** Ids of its devices. */
  slots: z.optional(z.array(z.number())),
  state: z.string(),
  exitCode: z.nullable(z.number()),
  failure: z.optional(z.string()),
})

/** Why a job waits. Times are RFC 3339. */
const waitingSchema = z.object({
  code: z.string(),
  meaning: z.string(),
  /** What a person can do about it, where there is something. */
  remedy: z.optional(z.string()),
  numbers: z.record(z.string(), z.number()),
  /** Instances it waits for, at most three. */
  instances: z.optional(z.array(z.string())),
  /** The problem behind it, if there is a more specific one. */
  problem: z.optional(problemSchema),
  since: z.string(),
  /** When it is tried again or given up; otherwise the next poll. */
  nextAt: z.string(),
})

const jobSchema = z.object({
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
  image: z.optional(z.string()),
  /** Names only: values may be secrets. */
  env: z.optional(z.array(z.string())),
  submittedAt: z.nullable(z.string()),
  startedAt: z.nullable(z.string()),
  endedAt: z.nullable(z.string()),
  containers: z.array(containerSchema),
  /** Of a pending job; absent where the master does not know, as when another program launches its agents. */
  waiting: z.optional(waitingSchema),
})

const lineSchema = z.object({
  containerId: z.string(),
  /** RFC 3339, by the agent's clock. */
  timestamp: z.optional(z.string()),
  stream: z.enum(['stdout', 'stderr', 'agent']),
  text: z.string(),
})

export const oneJobSchema = z.object({ job: jobSchema })
export const allJobsSchema = z.object({ jobs: z.array(jobSchema) })
/** `count` is how many lines the job has printed; the first ones may no longer be kept. */
export const jobLogsSchema = z.object({ logs: z.array(lineSchema), count: z.number() })

export type WaitingView = z.output<typeof waitingSchema>
export type JobView = z.output<typeof jobSchema>
export type OneJob = z.output<typeof oneJobSchema>
export type AllJobs = z.output<typeof allJobsSchema>
export type LogLine = z.output<typeof lineSchema>
export type JobLogs = z.output<typeof jobLogsSchema>

export function isOver({ state }: Pick<JobView, 'state'>): boolean {
  return ['finished', 'failed', 'killed', 'lost'].includes(state)
}

// In the shape of Determined's own API.

/** A request that is refused. */
export const failureSchema = z.object({
  error: z.object({
    code: z.optional(z.number()),
    reason: z.optional(z.string()),
    /** One sentence. */
    error: z.string(),
    /** With a code of this product, and what to do about it; Determined has no such field. */
    problem: z.optional(z.pick(problemSchema, { code: true, message: true, remedy: true })),
  }),
})

/** `GET /api/v1/resource-pools`, as far as our clients read it. */
export const resourcePoolsSchema = z.object({ resourcePools: z.array(z.object({ name: z.string() })) })

export type Failure = z.output<typeof failureSchema>
export type ResourcePool = z.output<typeof resourcePoolsSchema>['resourcePools'][number]
