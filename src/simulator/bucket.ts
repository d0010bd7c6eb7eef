// A token bucket, as clouds throttle with.

export interface BucketSize {
  burst: number
  perSecond: number
}

/**
 * EC2's numbers, as Karpenter's own fake of EC2 has them (karpenter-provider-aws: kwok/ec2/ratelimiting.go):
 * RunInstances 2 a second, burst 5; TerminateInstances 5, burst 100; describing 20, burst 100.
 */
export const ec2Buckets = {
  launch: { burst: 5, perSecond: 2 },
  terminate: { burst: 100, perSecond: 5 },
  list: { burst: 100, perSecond: 20 },
} as const satisfies Record<string, BucketSize>

/** Takes a token, or tells that there is none. `now` is milliseconds. */
export type Bucket = (now: number) => boolean

export function createBucket({ burst, perSecond }: BucketSize): Bucket {
  let tokens = burst
  let filledAt: number | undefined
  return (now) => {
    tokens = Math.min(burst, tokens + ((now - (filledAt ?? now)) / 1000) * perSecond)
    filledAt = now
    if (tokens < 1) return false
    tokens--
    return true
  }
}
