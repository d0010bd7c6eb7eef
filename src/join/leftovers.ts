// Bindings of instances that have ended without our termination, or whose join was decided while they were terminated. They
// would be kept for ever; but one that is dropped too early would let another key be the first.
import { type Clock, type Logger, wallTime } from '../platform/index.ts'
import type { Binding, JoinStore } from '../state/index.ts'

export interface LeftoversOptions {
  store: Pick<JoinStore, 'removeBindings'>
  /**
   * When the newest complete listing of the pool began, if by it there is no instance with this id; undefined while there is one, or
   * may be, or no listing began at `knownAt` or later. `knownAt`: by the clock, when the id was known.
   */
  unlistedAt: (pool: string, id: string, knownAt: number) => number | undefined
  /** It has a provider by the configuration. */
  isConfigured: (pool: string) => boolean
  /** Milliseconds for which certificates are valid. */
  lifetime: number
  clock: Clock
  logger: Logger
}

/**
 * Milliseconds between the first and the last complete listing that must lack an instance. EC2's answers become consistent within
 * minutes (https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html).
 */
const apart = 600_000

/** Returns what drops the leftovers of all bindings, as they were read a moment ago; rejects when the store fails. */
export function createLeftovers(options: LeftoversOptions): (bindings: readonly Binding[]) => Promise<void> {
  const { store, unlistedAt, isConfigured, lifetime, clock, logger } = options
  /** Begin of the first complete listing that lacked them. */
  let lacking = new Map<string, number>()

  /** Of a pool that is led here: a complete listing, and a later one, lack it. */
  function isUnlisted({ pool, instance, boundAt }: Binding, next: Map<string, number>): boolean {
    const knownAt = clock.now() - (wallTime(clock) - boundAt)
    const listedAt = unlistedAt(pool, instance, knownAt)
    if (listedAt === undefined) return false
    const since = lacking.get(instance) ?? listedAt
    next.set(instance, since)
    return listedAt - since >= apart
  }

  /** Of a pool that nobody leads any more: not renewed for twice as long as certificates are valid. */
  function isForgotten({ pool, expiresAt }: Binding): boolean {
    return !isConfigured(pool) && wallTime(clock) - expiresAt >= lifetime
  }

  return async (bindings) => {
    const next = new Map<string, number>()
    const over = bindings.filter((one) => isUnlisted(one, next) || isForgotten(one))
    lacking = next
    if (over.length === 0) return
    await store.removeBindings(over.map(({ instance }) => instance))
    logger.info('keys of instances that do not exist any more were dropped', { count: over.length })
  }
}
