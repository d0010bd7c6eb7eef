// What one provisioner has done in a rollout, and what was ordered about it.

export interface RolloutEvidence {
  /** Instances that a rollout takes out of service: since when, and whether the master was asked to drain them. */
  rolled: Map<string, { at: number; isSent: boolean }>
  /** Since when a pause of the rollout is confirmed. */
  pausedSince?: number | undefined
  /** The generation whose first instance failed, and all instances that failed so far. */
  failed?: string | undefined
  failures: Set<string>
  /** When a launch for a rollout was last decided. */
  surgeAt?: number
}

export function createRolloutEvidence(): RolloutEvidence {
  return { rolled: new Map(), failures: new Set() }
}
