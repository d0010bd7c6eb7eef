// How a VM is removed: drained, seen idle after that, ended. And how a drain of ours is taken back.

import type { AgentDecision, Decision } from './decision.ts'
import type { Census, Member } from './inventory.ts'
import type { Policy } from './policy.ts'
import type { ReasonCode } from './reasons.ts'
import type { Removals } from './removals.ts'
import type { Snapshot } from './snapshot.ts'

type Step = AgentDecision['kind']

export function stepsOf(
  census: Census,
  removals: Removals,
  snapshot: Snapshot,
  policy: Policy,
  now: number,
): Decision[] {
  const certain = isCertain(snapshot, policy, now)
  const steps = new Map<string, { kind: Step; code: ReasonCode; ids: string[] }>()
  let uncertain = 0
  for (const member of census.members) {
    const code = removals.get(member.instance.id)
    const kind = code ? removalStep(member, snapshot) : undrainStep(member)
    if (!kind) continue
    if (kind === 'terminate' && !certain) {
      uncertain++
      continue
    }
    const why = code ?? 'NEEDED_AGAIN'
    const key = `${kind} ${why}`
    const step = steps.get(key)
    if (step) step.ids.push(member.instance.id)
    else steps.set(key, { kind, code: why, ids: [member.instance.id] })
  }
  const numbers = {
    live: census.live,
    inFlight: census.inFlight,
    min: policy.minInstances,
    max: policy.maxInstances,
  }
  const decisions: Decision[] = [...steps.values()]
    .sort((a, b) => order[a.kind] - order[b.kind] || (a.code < b.code ? -1 : 1))
    .map(({ kind, code, ids }) => ({ kind, ids: ids.sort(), reason: { code, numbers } }))
  if (uncertain > 0)
    decisions.push({ kind: 'hold', reason: { code: 'LISTING_PARTIAL', numbers: { vms: uncertain } } })
  return decisions
}

const order: Record<Step, number> = { terminate: 0, undrain: 1, drain: 2 }

/** What a person ends by force needs no word of the master, who may be gone for good; the cloud must have shown it. */
export function forcedEnds(snapshot: Snapshot, policy: Policy, now: number): Decision[] {
  if (!isCertain(snapshot, policy, now)) return []
  const ids = snapshot.instances.filter(isForced).map(({ id }) => id)
  return ids.length > 0
    ? [{ kind: 'terminate', ids: ids.sort(), reason: { code: 'ORDERED', numbers: {} } }]
    : []
}

function isForced({ ordered, ending, state }: Member['instance']): boolean {
  return ordered === 'even_if_busy' && !ending && state !== 'terminated' && state !== 'stopping'
}

/** The view of the cloud is whole and fresh, as that of the master is anyway: only then may a VM be ended. */
function isCertain({ listing }: Snapshot, { maxSnapshotAge }: Policy, now: number): boolean {
  return listing?.complete === true && now - listing.completeAt <= maxSnapshotAge
}

function removalStep({ instance, agent }: Member, { demandAt = 0 }: Snapshot): Step | undefined {
  if (instance.ordered === 'even_if_busy') return 'terminate'
  const drained = instance.drainedAt !== undefined
  if (!agent?.connected) return agent?.busy ? undefined : 'terminate'
  if (!drained) return 'drain'
  if (agent.busy) return undefined
  // Seen idle and drained, in a view of the master that is younger than its answer to the drain.
  return agent.draining && demandAt > instance.drainedAt! ? 'terminate' : undefined
}

function undrainStep({ instance, agent, phase }: Member): Step | undefined {
  return instance.drainedAt !== undefined && agent?.connected && phase !== 'leaving' ? 'undrain' : undefined
}
