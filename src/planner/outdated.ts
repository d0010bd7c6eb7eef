// Which instances are outdated: they differ from what is launched now, or are too old. What follows from it is in
// rollout.ts.

import type { ReasonCode } from './decision.ts'
import type { KnownInstance, Policy } from './snapshot.ts'

export type OutdatedCode = ReasonCode & ('DRIFTED' | 'MAX_LIFETIME')

/** Why the instance should be replaced. One whose generation is not known has not drifted. */
export function outdatedBy(
  { id, drifted, knownSince }: Pick<KnownInstance, 'id' | 'drifted' | 'knownSince'>,
  { rollout }: Pick<Policy, 'rollout'>,
  now: number,
): OutdatedCode | undefined {
  if (drifted !== undefined && drifted.length > 0) return 'DRIFTED'
  const { maxLifetime } = rollout ?? {}
  if (maxLifetime === undefined || now - knownSince < lifetimeOf(id, maxLifetime)) return undefined
  return 'MAX_LIFETIME'
}

/** Instances that were launched together leave over this part of the lifetime, its last one. */
const spread = 0.1

/** How long the instance may live: between nine tenths and all of `maxLifetime`, always the same for one id. */
export function lifetimeOf(id: string, maxLifetime: number): number {
  return maxLifetime * (1 - spread * fractionOf(id))
}

/** From 0 up to 1, evenly for similar ids: FNV-1a, and the final mix of MurmurHash3. */
function fractionOf(id: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

/**
 * Whether its jobs have had `drain_timeout` to end, so that it is terminated with them: a rollout has taken the instance out of
 * service, the master has acknowledged that, and it is still outdated. Never without that setting.
 */
export function isDrainOver(
  instance: Pick<
    KnownInstance,
    'id' | 'drifted' | 'knownSince' | 'rolledSince' | 'drainedAt' | 'undrainDoubt'
  >,
  policy: Pick<Policy, 'rollout'>,
  now: number,
): boolean {
  const { when, drainTimeout } = policy.rollout ?? {}
  const { rolledSince, drainedAt, undrainDoubt } = instance
  if (when !== 'budget' || drainTimeout === undefined) return false
  // It may have got jobs since.
  if (undrainDoubt) return false
  if (rolledSince === undefined || drainedAt === undefined || now - rolledSince < drainTimeout) return false
  return outdatedBy(instance, policy, now) !== undefined
}
