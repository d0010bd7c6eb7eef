// Work as the master shows it: what this client relies on, everything else let through.
import * as z from 'zod/mini'

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
