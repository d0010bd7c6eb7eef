// Short constructors for the planner's input.

import type { Decision } from '../../src/planner/decision.ts'
import { plan } from '../../src/planner/index.ts'
import {
  fixedPeriods,
  type KnownAgent,
  type KnownInstance,
  type KnownOffering,
  type PendingAllocation,
  type Policy,
  type Snapshot,
} from '../../src/planner/snapshot.ts'

export const now = Date.parse('2026-11-23T12:00:00Z')
export const second = 1000
export const minute = 60_000
export const hour = 60 * minute

export function policy(given: Partial<Policy> = {}): Policy {
  return {
    minInstances: 0,
    maxInstances: 10,
    maxIdle: 20 * minute,
    bootTimeout: 10 * minute,
    reconnectWait: 25 * second,
    placementGrace: 30 * second,
    maxAuxPerAgent: 100,
    launchRate: 1000,
    ...fixedPeriods,
    ...given,
  }
}

export function offering(
  instanceType: string,
  slots: number,
  given: Partial<KnownOffering> = {},
): KnownOffering {
  return { instanceType, zone: 'a', capacityType: 'on_demand', slots, preference: 0, ...given }
}

/** A VM launched an hour ago whose agent joined then. */
export function vm(id: string, given: Partial<KnownInstance> = {}): KnownInstance {
  const launchedAt = given.knownSince ?? now - hour
  return {
    id,
    pool: 'default',
    state: 'running',
    launchedAt,
    instanceType: 'm4',
    zone: 'a',
    capacityType: 'on_demand',
    slots: 4,
    knownSince: launchedAt,
    joinedAt: launchedAt + minute,
    ...given,
  }
}

/** A VM launched a minute ago whose agent has not joined yet. */
export function coming(id: string, given: Partial<KnownInstance> = {}): KnownInstance {
  return vm(id, { knownSince: now - minute, joinedAt: undefined, ...given })
}

/** A busy agent with no free slots. */
export function busy(id: string, given: Partial<KnownAgent> = {}): KnownAgent {
  return {
    id,
    slots: 4,
    freeSlots: 0,
    busy: true,
    connected: true,
    enabled: true,
    draining: false,
    settledSince: now - hour,
    ...given,
  }
}

/** An agent without jobs, idle for a second by default. */
export function idle(id: string, since = now - second, given: Partial<KnownAgent> = {}): KnownAgent {
  const slots = given.slots ?? 4
  return busy(id, { slots, freeSlots: slots, busy: false, idleSince: since, settledSince: since, ...given })
}

/** A job submitted a second ago by default. */
export function work(id: string, slots: number, given: Partial<PendingAllocation> = {}): PendingAllocation {
  return { id, slots, since: now - second, ...given }
}

/** This many jobs of one size. */
export function works(
  count: number,
  slots: number,
  given: Partial<PendingAllocation> = {},
): PendingAllocation[] {
  return Array.from({ length: count }, (_, n) => work(`w${n}`, slots, given))
}

export function snapshot(given: Partial<Snapshot> = {}): Snapshot {
  return {
    pool: 'default',
    listing: { completeAt: now - second, complete: true },
    demandAt: now - second,
    instances: [],
    agents: [],
    pending: [],
    unplaced: new Map(),
    inFlight: [],
    offerings: [offering('m4', 4)],
    breaker: { state: 'closed' },
    probe: false,
    budget: { spent: 0, at: 0 },
    holds: [],
    requests: [],
    ...given,
  }
}

export function planned(given: Partial<Snapshot>, rules: Partial<Policy> = {}): Decision[] {
  return plan(snapshot(given), policy(rules), now)
}

/** A decision as a short text: `launch 2 m4/a`, `drain i1 LONG_IDLE`, `hold MAX_REACHED`. */
export function brief(decision: Decision): string {
  const { kind, reason } = decision
  if (kind === 'hold') return `hold ${reason.code}`
  if (kind === 'block') return `block ${decision.request} ${reason.code}`
  if (kind === 'mark') return `mark ${decision.work.join()} ${decision.agents.join()}`
  if (kind !== 'launch') return `${kind} ${decision.ids.join()} ${reason.code}`
  return `launch ${decision.count} ${decision.offerings.map((o) => `${o.instanceType}/${o.zone}`).join()}`
}

export function briefly(given: Partial<Snapshot>, rules: Partial<Policy> = {}): string[] {
  return planned(given, rules).map(brief)
}

export function launched(decisions: Decision[]): number {
  return decisions.reduce((sum, d) => sum + (d.kind === 'launch' ? d.count : 0), 0)
}

/** VMs to be removed: terminated now, or drained first. */
export function removed(decisions: Decision[]): string[] {
  return decisions.flatMap((d) => (d.kind === 'terminate' || d.kind === 'drain' ? d.ids : [])).sort()
}
