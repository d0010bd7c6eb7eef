// What the pools of one provisioner share in a region: images that were looked up, and the rate of launches.

import { type Clock, paced } from '../../platform/index.ts'
import { cachedAnswers } from '../online-facts.ts'
import type { ResolvedImage } from './image.ts'

export interface RegionShare {
  /** By the image's configuration; asked again after ten minutes, so that a newer image is used. */
  images: ReturnType<typeof cachedAnswers<ResolvedImage>>
  /** Resolves when a launch may be sent. */
  launchTurn(signal?: AbortSignal): Promise<void>
}

const imageTtlMs = 600_000

/**
 * RunInstances has a bucket of 5 requests for each account and region, refilled with 2 a second
 * (https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html). One is left, so that calls that arrive closer
 * together than they were sent are not refused.
 */
const launchRate = { burst: 4, perSecond: 2 }

const shares = new WeakMap<object, Map<string, RegionShare>>()

/** The same for all pools with the same `together` and region; without `together`, one of its own. */
export function regionShare(region: string, clock: Clock, together: object = {}): RegionShare {
  const regions = shares.get(together) ?? new Map<string, RegionShare>()
  shares.set(together, regions)
  const known = regions.get(region)
  if (known) return known
  const share = {
    images: cachedAnswers<ResolvedImage>(clock, imageTtlMs),
    launchTurn: paced(launchRate, clock),
  }
  regions.set(region, share)
  return share
}
