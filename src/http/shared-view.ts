// What the leader of a pool publishes for the other provisioners of its cluster: what its own endpoints answer. It is judged
// when it is read, because another version of the program may have written it.
import * as z from 'zod/mini'
import type { PoolStatus } from '../fleet/index.ts'
import { turns } from '../platform/index.ts'
import { type AgentView, agentsSchema, agentViews } from './agent-view.ts'
import type { FleetControl, FleetRow } from './fleet-control.ts'
import { type InstanceView, instancesSchema, instanceViews } from './instance-view.ts'
import { type OrphansView, orphansSchema } from './orphan-view.ts'
import {
  type PoolStatusView,
  poolDetails,
  poolStatusSchema,
  type SharedSummary,
  sharedSummarySchema,
} from './pool-view.ts'
import { problemSchema } from './reason-view.ts'

/** Of one running pool. */
export interface SharedPool {
  details: PoolStatusView
  instances: InstanceView[]
  agents: AgentView[]
}

/** `rows`: those of the pool. Other work runs in between, because there may be thousands. */
export async function sharedPool(
  status: PoolStatus,
  { placeOf, snapshotOf }: Pick<FleetControl, 'placeOf' | 'snapshotOf'>,
  rows: () => FleetRow[],
): Promise<object> {
  const { pool, snapshot } = status
  const turn = turns()
  const found = rows()
  await turn()
  const instances = instanceViews([status], found)
  await turn()
  const agents = agentViews([{ pool, agents: snapshot?.agents ?? [] }], found)
  await turn()
  return { details: poolDetails(status, placeOf(pool), snapshotOf(status)), instances, agents }
}

/** Elements that are judged at once. */
const piece = 250

/** Undefined for what this version cannot read. */
export async function readSharedPool(value: unknown): Promise<SharedPool | undefined> {
  const { details, instances, agents } = (value ?? {}) as Partial<Record<keyof SharedPool, unknown>>
  const turn = turns()
  if (!poolStatusSchema.safeParse({ pool: details }).success) return undefined
  for (const [list, name, schema] of [
    [instances, 'instances', instancesSchema],
    [agents, 'agents', agentsSchema],
  ] as const) {
    if (!Array.isArray(list)) return undefined
    for (let from = 0; from < list.length; from += piece) {
      const { success } = schema.safeParse({ [name]: list.slice(from, from + piece) })
      if (!success) return undefined
      await turn()
    }
  }
  return value as SharedPool
}

/** Undefined for what this version cannot read. */
export function readSharedSummary(text: string): SharedSummary | undefined {
  return read(text, sharedSummarySchema)
}

/** For lists: how many orphans there are. */
const orphansSummarySchema = z.object({ orphans: z.number(), problems: z.array(problemSchema) })
export type OrphansSummary = z.output<typeof orphansSummarySchema>

export function orphansSummary({ orphans, problems }: OrphansView): OrphansSummary {
  return { orphans: orphans.length, problems }
}

/** Undefined for what this version cannot read. */
export function readOrphansSummary(text: string): OrphansSummary | undefined {
  return read(text, orphansSummarySchema)
}

/** Undefined for what this version cannot read. */
export function readOrphans(value: unknown): OrphansView | undefined {
  return orphansSchema.safeParse(value).success ? (value as OrphansView) : undefined
}

function read<View>(text: string, schema: z.ZodMiniType<View, View>): View | undefined {
  try {
    const value: unknown = JSON.parse(text)
    // As it is, with fields that a newer version has added.
    return schema.safeParse(value).success ? (value as View) : undefined
  } catch {
    return undefined
  }
}
