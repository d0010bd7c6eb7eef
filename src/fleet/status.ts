// The status of a pool, for the CLI and the API: its instances, the last decisions, and what is blocked.

import {
  type Decision,
  isLive,
  type Offering,
  type Policy,
  type Reason,
  type RolloutView,
  type Snapshot,
} from '../planner/index.ts'
import type { Problem } from '../problems/index.ts'
import type { Turn } from './decide.ts'
import { breakerView } from './failures.ts'
import { problemBehind } from './holds.ts'
import type { ManagedInstance, PoolMemory, RolloutMemory } from './memory.ts'
import type { PoolRun } from './run.ts'

export interface PoolStatus {
  pool: string
  at: number
  paused: boolean
  /** VMs that can run, and those of them whose agents have joined. */
  live: number
  joined: number
  inFlight: number
  pending: number
  /** What is known about replacing outdated instances, and which of them wait for what. */
  rollout?: RolloutMemory & Partial<RolloutView> & { opensAt?: number }
  /** What blocks a wanted step, with the problem behind it if there is one. */
  blocked: (Reason & { problem?: Problem })[]
  breaker: Snapshot['breaker']
  foreignWriters: string[]
  problems: Problem[]
  instances: ManagedInstance[]
  /** The limits in force. */
  policy: Policy
  /** When the last turn ran, its snapshot and its decisions. */
  decidedAt?: number
  /** Since when each code blocks something. */
  blockedSince: ReadonlyMap<string, number>
  /** When the cloud or the master is polled next. */
  nextPollAt: number
  offerings: readonly Offering[]
  snapshot?: Snapshot
  decisions: Decision[]
}

export function statusOf(
  run: PoolRun,
  turn: Turn | undefined,
  times: Pick<PoolStatus, 'blockedSince' | 'nextPollAt'>,
): PoolStatus {
  const { memory, deps } = run
  const instances = [...memory.tracks.values()].map((track) => ({ ...track }))
  const live = instances.filter(isLive)
  const decisions = turn?.decisions ?? []
  return {
    pool: deps.pool,
    at: run.now(),
    paused: memory.paused,
    live: live.length,
    joined: live.filter((track) => memory.agents.get(track.id)?.connected).length,
    inFlight: turn?.snapshot.inFlight.reduce((sum, launch) => sum + launch.missing, 0) ?? 0,
    pending: memory.pending.length,
    rollout: {
      ...memory.rollout,
      ...turn?.rollout,
      ...(turn?.snapshot.rollout?.opensAt !== undefined && { opensAt: turn.snapshot.rollout.opensAt }),
    },
    blocked: decisions.flatMap((decision) => {
      if (decision.kind !== 'hold') return []
      const problem = problemBehind(decision.reason.code, memory, turn!.launchInputs)
      return [problem ? { ...decision.reason, problem } : decision.reason]
    }),
    breaker: breakerView(memory.breaker, run.now()),
    foreignWriters: foreignWriters(memory),
    problems: [...memory.problems.values()],
    instances,
    policy: run.settings.policy,
    decidedAt: turn?.at,
    ...times,
    offerings: run.settings.offerings,
    snapshot: turn?.snapshot,
    decisions,
  }
}

export function foreignWriters({ foreign }: PoolMemory): string[] {
  return [...new Set([...foreign.values()].map(({ writer }) => writer))]
}
