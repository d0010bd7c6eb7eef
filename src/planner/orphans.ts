// Orphans, the instances of our cluster that belong to no configured pool: the next step for one, or why there is none.

import { isDemandFresh, isForced, mayDrain, mayTerminate } from './rules.ts'
import { type AgentState, fixedPeriods, type Instance } from './snapshot.ts'

/** An orphan with what is remembered of it. */
export interface Orphan extends Instance {
  /** A provisioner of this state folder launched it, or a person adopted it. */
  isOwn: boolean
  /** Milliseconds of its grace period that have passed since the provisioner was started. */
  waited: number
  /** When the master acknowledged our drain. */
  drainedAt?: number
  /** When its agent was observed in service after that. */
  undrainedAt?: number
  /** A person ordered its termination: the grace period and the writer do not matter. */
  ordered?: 'when_idle' | 'even_if_busy'
}

export interface OrphanRules {
  /** The grace period in milliseconds; undefined: no orphan is terminated without an order. */
  terminateAfter: number | undefined
  /** Also terminate those that the master does not know, although they may be busy. */
  terminateUnknown: boolean
}

/**
 * - `foreign`: another provisioner launched it
 * - `never`: the rules terminate no orphans
 * - `grace`: its grace period is not over
 * - `unknown`: the master does not show its agent, or there is no fresh view of the master
 * - `busy`: its agent has jobs, or is not yet shown as drained
 */
export type OrphanStep =
  | { kind: 'drain' | 'terminate' }
  | { kind: 'keep'; why: 'foreign' | 'never' | 'grace' | 'unknown' | 'busy' }

/** The master's view of the pool that an orphan's tag names, if it could be read. */
export interface OrphanView {
  /** When it was true, and how many milliseconds reading it took. */
  at: number
  took?: number
  agent: AgentState | undefined
}

/**
 * The next step for an orphan that can still run or bill. It is terminated only when it is known to be idle after our
 * drain: an unknown state counts as busy.
 */
export function orphanStep(
  orphan: Orphan,
  view: OrphanView | undefined,
  rules: OrphanRules,
  now: number,
): OrphanStep {
  if (isForced(orphan)) return { kind: 'terminate' }
  if (!orphan.ordered) {
    if (!orphan.isOwn) return { kind: 'keep', why: 'foreign' }
    if (rules.terminateAfter === undefined) return { kind: 'keep', why: 'never' }
    if (orphan.waited < rules.terminateAfter) return { kind: 'keep', why: 'grace' }
  }
  if (!view || !isDemandFresh(view.at, fixedPeriods, now, view.took)) return { kind: 'keep', why: 'unknown' }
  const { agent } = view
  if (agent?.connected && orphan.state !== 'stopped' && orphan.drainedAt === undefined)
    return mayDrain(orphan, view.at, now) ? { kind: 'drain' } : { kind: 'keep', why: 'busy' }
  if (agent?.busy) return { kind: 'keep', why: 'busy' }
  // No agent runs on it, and the master has no allocation left on it.
  if (orphan.state === 'stopped') return { kind: 'terminate' }
  if (!agent?.connected)
    return rules.terminateUnknown ? { kind: 'terminate' } : { kind: 'keep', why: 'unknown' }
  return mayTerminate(orphan, agent, view.at) ? { kind: 'terminate' } : { kind: 'keep', why: 'busy' }
}
