// The newest image of a pool whose image is a name behind which another one can appear: asked from time to time.

import { type Clock, type Logger, reasonOf } from '../platform/index.ts'
import type { Provider } from '../providers/index.ts'

interface NewestImage {
  /** What a launch uses now; undefined while it is not wanted, not known, or always the same. */
  current(): string | undefined
  stop(): void
}

interface NewestImageOptions {
  pool: string
  provider: Pick<Provider, 'newestImage'>
  /** `rollout.images: latest`; asked each time, because a reload may change it. */
  isWanted: () => boolean
  clock: Clock
  logger: Logger
}

/** Milliseconds. Images are published every few weeks. */
const every = 600_000
/** After a failure, and until somebody wants it. */
const soon = 60_000

/** Asks until stopped. A failure is logged once, and the last answer stays. */
export function watchNewestImage({
  pool,
  provider,
  isWanted,
  clock,
  logger,
}: NewestImageOptions): NewestImage {
  const stopping = new AbortController()
  let known: string | undefined
  let hasFailed = false

  async function ask(): Promise<number> {
    if (!isWanted()) return soon
    try {
      known = await provider.newestImage?.(stopping.signal)
      hasFailed = false
      return every
    } catch (error) {
      stopping.signal.throwIfAborted()
      if (!hasFailed)
        logger.warn('the newest image of the pool is not known: what is older does not show as drifted', {
          pool,
          reason: reasonOf(error),
        })
      hasFailed = true
      return soon
    }
  }

  async function keepAsking(): Promise<void> {
    while (!stopping.signal.aborted) await clock.sleep(await ask(), stopping.signal)
  }
  if (provider.newestImage)
    keepAsking().catch((error: unknown) => {
      if (!stopping.signal.aborted) logger.error('asking for the newest image failed', { pool, error })
    })
  return {
    current: () => (isWanted() ? known : undefined),
    stop: () => stopping.abort(),
  }
}
