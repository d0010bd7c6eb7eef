// How the pool of a world replaces its outdated instances: drawn from the seed.
import type { Policy } from '../planner/index.ts'
import type { Schedule } from '../platform/index.ts'
import type { Random } from './random.ts'

type RolloutKind = 'generation_changed' | 'short_lifetime' | 'drain_timeout'

const second = 1000
const minute = 60 * second

/** Worlds in which nothing becomes outdated have no rollouts. */
export function rolloutOf(random: Random, has: (kind: RolloutKind) => boolean): Pick<Policy, 'rollout'> {
  if (!has('generation_changed') && !has('short_lifetime')) return {}
  const shares = [{ count: 1 }, { count: 2 }, { percent: 50 }] as const
  return {
    rollout: {
      when: random.pick(['idle', 'budget', 'budget']),
      maxUnavailable: random.pick(shares),
      surge: random.pick(shares),
      maxLifetime: has('short_lifetime') ? random.whole(4, 20) * minute : undefined,
      drainTimeout: has('drain_timeout') ? random.whole(30, 200) * second : undefined,
    },
  }
}

/** Open for some minutes of every ten or so. */
export function windowOf(random: Random): OpenWindow {
  return { length: random.whole(2, 6) * minute, every: random.whole(7, 12) * minute }
}

/** Milliseconds. */
export interface OpenWindow {
  length: number
  every: number
}

export function scheduleOf({ length, every }: OpenWindow): Schedule {
  return {
    isOpen: (now) => now % every < length,
    opensAt: (now) => (Math.floor(now / every) + 1) * every,
  }
}
