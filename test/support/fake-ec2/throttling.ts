// EC2's token buckets: tokens and refill per second, by kind of call.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html

const buckets = {
  describe: { size: 100, perSecond: 20 },
  change: { size: 50, perSecond: 5 },
  RunInstances: { size: 5, perSecond: 2 },
  CreateFleet: { size: 5, perSecond: 2 },
  TerminateInstances: { size: 100, perSecond: 5 },
}

type Kind = keyof typeof buckets

function kindOf(action: string): Kind {
  if (action in buckets) return action as Kind
  return /^(?:Describe|Get)/.test(action) ? 'describe' : 'change'
}

/** Whether a call is allowed at a time in milliseconds. */
export function throttling(): (action: string, now: number) => boolean {
  const levels = new Map<Kind, { tokens: number; at: number }>()
  return (action, now) => {
    const kind = kindOf(action)
    const { size, perSecond } = buckets[kind]
    const level = levels.get(kind) ?? { tokens: size, at: now }
    level.tokens = Math.min(size, level.tokens + ((now - level.at) / 1000) * perSecond)
    level.at = now
    levels.set(kind, level)
    if (level.tokens < 1) return false
    level.tokens--
    return true
  }
}
