// The rollout of a pool as the API shows it: which outdated instances leave, and what the others wait for.
// Times are milliseconds since the epoch.

import * as z from 'zod/mini'
import type { PoolStatus } from '../fleet/index.ts'
import { actReasons, type RolloutWait, rolloutWaits } from '../planner/index.ts'
import type { Written } from './view.ts'

const counted = z.object({ code: z.string(), meaning: z.string(), instances: z.number() })

export const rolloutSchema = z.object({
  /** `rollout.when`. */
  when: z.string(),
  /** Outdated instances, those that leave included, by the reason. */
  outdated: z.number(),
  reasons: z.array(counted),
  /** Those that get no new jobs and are terminated when they are idle. */
  leaving: z.number(),
  /** What the others wait for. */
  waits: z.array(counted),
  /** An instance of what is launched now has joined and lasted. */
  proven: z.boolean(),
  /** One of its first instances that failed: the rollout is stopped. */
  failed: z.optional(z.object({ code: z.string(), id: z.string(), at: z.number() })),
  paused: z.boolean(),
  /** When the schedule allows to begin again; missing while it does. */
  opensAt: z.optional(z.number()),
})

export type RolloutView = z.output<typeof rolloutSchema>

export function rolloutView({ policy, rollout }: PoolStatus): Written<RolloutView> | undefined {
  if (!policy.rollout || !rollout) return undefined
  const { outdated = {}, leaving = 0, waits = {}, proven, failed, paused, opensAt } = rollout
  const reasons = Object.entries(outdated).map(([code, instances]) => ({
    code,
    meaning: actReasons[code as keyof typeof outdated],
    instances,
  }))
  return {
    when: policy.rollout.when,
    outdated: reasons.reduce((sum, { instances }) => sum + instances, 0),
    reasons,
    leaving,
    waits: Object.entries(waits).map(([code, instances]) => ({
      code,
      meaning: rolloutWaits[code as RolloutWait],
      instances,
    })),
    proven,
    failed,
    paused,
    opensAt,
  }
}
