// The origin's decisions, exactly (origin: scaledecider/scale_decider.go): what plan() is compared with.
import type { AgentDecision, Decision } from '../planner/decision.ts'
import type { Policy } from '../planner/policy.ts'
import type { ActReason } from '../planner/reasons.ts'
import type { Snapshot } from '../planner/snapshot.ts'
import { noTimers, type OriginClasses, type OriginTimers, originClassify } from './classify.ts'
import { originDesired } from './desired.ts'

/** Decisions, and the timers to hand in next time. The pool has one size of VM: that of its first offering. */
export function originPlan(
  snapshot: Pick<Snapshot, 'instances' | 'agents' | 'pending' | 'offerings'>,
  policy: Policy,
  now: number,
  timers: OriginTimers = noTimers,
): { decisions: Decision[]; timers: OriginTimers } {
  const classes = originClassify(snapshot, policy, now, timers)
  const slots = snapshot.offerings[0]?.slots ?? 0
  const desired = originDesired(snapshot.pending, slots, policy.maxAuxPerAgent)
  const count = originLaunches(classes, desired, policy)
  const decisions: Decision[] = originTerminations(classes, policy)
  if (count > 0)
    decisions.push({
      kind: 'launch',
      count,
      offerings: snapshot.offerings.slice(0, 1),
      reason: { code: 'WORK_WAITS', numbers: { desired, counted: classes.counted.length } },
    })
  return { decisions, timers: classes.timers }
}

/** max(0, clamp(min - counted, desired - recently launched, max - counted)). */
export function originLaunches(
  { counted, recentlyLaunched }: Pick<OriginClasses, 'counted' | 'recentlyLaunched'>,
  desired: number,
  { minInstances, maxInstances }: Pick<Policy, 'minInstances' | 'maxInstances'>,
): number {
  const least = minInstances - counted.length
  const most = maxInstances - counted.length
  return Math.max(0, Math.min(Math.max(desired - recentlyLaunched.length, least), most))
}

/** Stopped instances are chosen but were never counted: the origin's own arithmetic, kept as it is. */
export function originTerminations(
  classes: OriginClasses,
  { minInstances, maxInstances }: Pick<Policy, 'minInstances' | 'maxInstances'>,
): AgentDecision[] {
  const chosen = new Set<string>()
  const decisions: AgentDecision[] = []
  const left = () => classes.counted.length - chosen.size
  const choose = (code: ActReason, ids: string[], more: () => boolean): void => {
    const picked: string[] = []
    for (const id of ids) {
      if (!more()) break
      if (chosen.has(id)) continue
      chosen.add(id)
      picked.push(id)
    }
    if (picked.length > 0)
      decisions.push({
        kind: 'terminate',
        ids: picked,
        reason: { code, numbers: { counted: classes.counted.length } },
      })
  }
  choose('STOPPED', classes.stopped, () => true)
  choose('LONG_DISCONNECTED', classes.longDisconnected, () => true)
  choose('LONG_IDLE', classes.longIdle, () => left() > minInstances)
  const newestFirst = [...classes.counted].sort((a, b) => b.launchedAt - a.launchedAt).map((i) => i.id)
  choose('ABOVE_MAX', [...classes.idle, ...classes.disconnected, ...newestFirst], () => left() > maxInstances)
  return decisions
}
