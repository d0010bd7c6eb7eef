// The origin's classes of instances and its two timers (origin: scaledecider/scale_decider.go), for comparison.
import type { Policy } from '../planner/policy.ts'
import type { KnownInstance, Snapshot } from '../planner/snapshot.ts'

/** Since when each instance is idle or disconnected; the origin keeps it in memory only. */
export interface OriginTimers {
  idle: ReadonlyMap<string, number>
  disconnected: ReadonlyMap<string, number>
}

export const noTimers: OriginTimers = { idle: new Map(), disconnected: new Map() }

export interface OriginClasses {
  /** What the origin counts: starting and running. Stopped ones are not in it. */
  counted: KnownInstance[]
  stopped: string[]
  recentlyLaunched: string[]
  idle: string[]
  longIdle: string[]
  disconnected: string[]
  longDisconnected: string[]
  timers: OriginTimers
}

export function originClassify(
  { instances, agents }: Pick<Snapshot, 'instances' | 'agents'>,
  policy: Pick<Policy, 'maxIdle' | 'bootTimeout' | 'maxDisconnected'>,
  now: number,
  timers: OriginTimers = noTimers,
): OriginClasses {
  const connected = new Map(agents.filter((a) => a.connected).map((a) => [a.id, a]))
  const idle = new Map<string, number>()
  const disconnected = new Map<string, number>()
  const classes: OriginClasses = {
    counted: [],
    stopped: [],
    recentlyLaunched: [],
    idle: [],
    longIdle: [],
    disconnected: [],
    longDisconnected: [],
    timers: { idle, disconnected },
  }
  for (const instance of [...instances].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const { id, state, launchedAt } = instance
    if (state === 'stopped') classes.stopped.push(id)
    if (state !== 'starting' && state !== 'running') continue
    classes.counted.push(instance)
    const agent = connected.get(id)
    if (agent) {
      if (agent.busy) continue
      const since = timers.idle.get(id) ?? now
      idle.set(id, since)
      classes.idle.push(id)
      if (now > since + policy.maxIdle) classes.longIdle.push(id)
    } else if (launchedAt + policy.bootTimeout > now) {
      classes.recentlyLaunched.push(id)
    } else {
      const since = timers.disconnected.get(id) ?? now
      disconnected.set(id, since)
      classes.disconnected.push(id)
      if (now > since + policy.maxDisconnected) classes.longDisconnected.push(id)
    }
  }
  return classes
}
