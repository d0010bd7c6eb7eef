// From the VMs that are wanted to the launches that are allowed now, and what holds back the rest.

import type { Decision, LaunchDecision, ReasonCode } from './decision.ts'
import type { Census } from './inventory.ts'
import type { Placement, Wanted } from './placing.ts'
import type { KnownOffering, Policy, Snapshot } from './snapshot.ts'

interface Allowance {
  vms: number
  code: ReasonCode
  numbers: Record<string, number>
}

export function launches(
  { wanted }: Placement,
  census: Census,
  snapshot: Snapshot,
  policy: Policy,
): Decision[] {
  const allowances = allowancesOf(census, snapshot, policy)
  const decisions: Decision[] = []
  const held = new Map<ReasonCode, number>()
  for (const { size, forWork, forMin } of [...wanted].sort(bySize)) {
    if (size.free.length === 0) {
      decisions.push(hold('LAUNCH_IN_FLIGHT', { vms: forWork + forMin, slots: size.slots }))
      continue
    }
    const tightest = allowances.reduce((a, b) => (b.vms < a.vms ? b : a))
    const count = Math.min(forWork + forMin, tightest.vms)
    const rest = forWork + forMin - count
    if (rest > 0) held.set(tightest.code, (held.get(tightest.code) ?? 0) + rest)
    if (count === 0) continue
    for (const allowance of allowances) allowance.vms -= count
    const reason = { code: forWork > 0 ? 'WORK_WAITS' : 'BELOW_MIN', numbers: { forWork, forMin } } as const
    decisions.push({ kind: 'launch', count, offerings: size.free.map(bare), reason } satisfies LaunchDecision)
  }
  for (const { code, numbers } of allowances)
    if (held.has(code)) decisions.push(hold(code, { ...numbers, vms: held.get(code)! }))
  return decisions
}

/** Limits in time, unlike max_instances: what they hold back may be launched later. */
function allowancesOf(
  census: Census,
  { breaker, probe, launchedLastHour }: Snapshot,
  policy: Policy,
): Allowance[] {
  const rate = { launchedLastHour, perHour: policy.launchRate }
  const probes = Math.max(0, 1 - census.coming - census.inFlight)
  const allowances: Allowance[] = [
    { code: 'LAUNCH_RATE_SPENT', vms: Math.max(0, policy.launchRate - launchedLastHour), numbers: rate },
  ]
  if (probe) allowances.push({ code: 'PROBE_FIRST', vms: probes, numbers: {} })
  if (breaker.state === 'probing')
    allowances.push({ code: 'BREAKER_PROBING', vms: probes, numbers: { failures: breaker.failures } })
  if (breaker.state === 'open') {
    const numbers = { failures: breaker.failures, retryAt: breaker.until }
    allowances.push({ code: 'BREAKER_OPEN', vms: 0, numbers })
  }
  return allowances
}

function bySize(a: Wanted, b: Wanted): number {
  return a.size.preference - b.size.preference || b.size.slots - a.size.slots
}

function bare({ instanceType, zone, capacityType, slots }: KnownOffering) {
  return { instanceType, zone, capacityType, slots }
}

function hold(code: ReasonCode, numbers: Record<string, number>): Decision {
  return { kind: 'hold', reason: { code, numbers } }
}
