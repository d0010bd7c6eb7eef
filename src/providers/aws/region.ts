// What all pools of a region share: images that were looked up, and the rate of launches.

import { type Clock, pace } from '../../platform/index.ts'
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

const shares = new WeakMap<Clock, Map<string, RegionShare>>()

/** The same for all pools of this process. Another profile may be another account, with images of its own. */
export function regionShare(region: string, profile = '', clock: Clock): RegionShare {
  const ofClock = shares.get(clock) ?? new Map<string, RegionShare>()
  shares.set(clock, ofClock)
  const key = JSON.stringify([region, profile])
  const known = ofClock.get(key)
  if (known) return known
  const share = {
    images: cachedAnswers<ResolvedImage>(clock, imageTtlMs),
    launchTurn: pace(clock, launchRate).next,
  }
  ofClock.set(key, share)
  return share
}
