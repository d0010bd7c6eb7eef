// Instances of the cluster that belong to no configured pool: `GET /v1/orphans`. Times are milliseconds since the epoch.

import * as z from 'zod/mini'
import { type FoundOrphan, locationOf, type OrphanStatus } from '../fleet/index.ts'
import { problemSchema, problemView } from './reason-view.ts'
import type { Written } from './view.ts'

const orphanSchema = z.object({
  id: z.string(),
  /** The pool in its tag. */
  pool: z.string(),
  /** Kind of provider, region or project. */
  location: z.string(),
  state: z.string(),
  instanceType: z.string(),
  zone: z.string(),
  launchedAt: z.number(),
  /** The provisioner that launched it; missing without a tag. */
  writer: z.optional(z.string()),
  /** Launched by this provisioner, or adopted: terminated once it is known to be idle. */
  own: z.boolean(),
  /** The next step, or why there is none: `foreign`, `never`, `grace`, `unknown`, `busy`. */
  next: z.enum(['drain', 'terminate', 'foreign', 'never', 'grace', 'unknown', 'busy']),
})

export const orphansSchema = z.object({
  orphans: z.array(orphanSchema),
  /** Locations that could not be listed: there may be more. */
  problems: z.array(problemSchema),
})

export type OrphanView = z.output<typeof orphanSchema>
export type OrphansView = z.output<typeof orphansSchema>

/** Oldest first. */
export function orphansView({ orphans, problems }: OrphanStatus): OrphansView {
  const sorted = orphans.toSorted((a, b) => a.launchedAt - b.launchedAt || (a.id < b.id ? -1 : 1))
  return { orphans: sorted.map(orphanView), problems: problems.map(problemView) }
}

function orphanView(orphan: FoundOrphan): Written<OrphanView> {
  const { id, pool, state, instanceType, zone, launchedAt, writerId, isOwn, next } = orphan
  return {
    id,
    pool,
    location: locationOf(orphan),
    state,
    instanceType,
    zone,
    launchedAt,
    writer: writerId,
    own: isOwn,
    next: next.kind === 'keep' ? next.why : next.kind,
  }
}
