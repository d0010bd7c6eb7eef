// From decisions to calls. Nothing here waits: calls run beside the loop, and what they are about is marked at once.
import type { AgentDecision, Decision, MarkDecision } from '../planner/decision.ts'
import type { ReasonCode } from '../planner/reasons.ts'
import { delayAfter } from './backoff.ts'
import { drain, undrain } from './drain.ts'
import { openLaunch } from './launch.ts'
import type { Track } from './memory.ts'
import { endVms } from './removal.ts'
import type { PoolRun } from './run.ts'
import type { LaunchMaterial } from './settings.ts'

/** How long work that several agents were not given is left alone. */
const unplaceableGrowth = { first: 600_000, most: 1_800_000 }

export function act(run: PoolRun, decisions: readonly Decision[], material: LaunchMaterial): void {
  const ending = new Map<Track, ReasonCode>()
  for (const decision of decisions) {
    switch (decision.kind) {
      case 'launch':
        if (material.kind !== 'ready') break
        say(run, 'launch', [], decision.count, decision.reason)
        openLaunch(run, decision, material)
        break
      case 'mark':
        mark(run, decision)
        break
      case 'drain':
        move(run, decision, drain)
        break
      case 'undrain':
        move(run, decision, undrain)
        break
      case 'terminate':
        for (const track of freeTracks(run, decision))
          if ((track.kept?.until ?? 0) <= run.now()) ending.set(track, decision.reason.code)
    }
  }
  if (ending.size === 0 || run.now() < run.memory.terminateRetryAt || isEnding(run)) return
  for (const decision of decisions)
    if (decision.kind === 'terminate') {
      const ids = tracksOf(run, decision).flatMap((track) => (ending.has(track) ? track.id : []))
      if (ids.length > 0) say(run, 'terminate', ids, ids.length, decision.reason)
    }
  endVms(run, ending)
}

function move(run: PoolRun, decision: AgentDecision, call: (run: PoolRun, tracks: Track[]) => void): void {
  const tracks = freeTracks(run, decision).filter(({ retryAt = 0 }) => retryAt <= run.now())
  if (tracks.length === 0) return
  const ids = tracks.map(({ id }) => id)
  say(run, decision.kind, ids, ids.length, decision.reason)
  call(run, tracks)
}

function tracksOf({ memory }: PoolRun, { ids }: AgentDecision): Track[] {
  return ids.flatMap((id) => memory.tracks.get(id) ?? [])
}

/** Those about which no call is under way. */
function freeTracks(run: PoolRun, decision: AgentDecision): Track[] {
  return tracksOf(run, decision).filter((track) => track.busyWith === undefined)
}

function isEnding({ memory }: PoolRun): boolean {
  for (const track of memory.tracks.values()) if (track.busyWith === 'end') return true
  return false
}

function mark(run: PoolRun, { work, agents, trial, reason }: MarkDecision): void {
  const { unplaced } = run.memory
  for (const id of work) {
    const all = [...new Set([...(unplaced.get(id)?.agents ?? []), ...agents])]
    const wait = all.length > 1 ? delayAfter(all.length - 1, unplaceableGrowth, run.deps.random) : 0
    unplaced.set(id, { agents: all, until: run.now() + wait, ...(trial === undefined ? {} : { trial }) })
  }
  say(run, 'mark', agents, work.length, reason)
}

/** Tells that something has been decided. */
export function say(
  run: PoolRun,
  move: 'launch' | 'drain' | 'undrain' | 'terminate' | 'mark',
  ids: string[],
  count: number,
  reason: Decision['reason'],
): void {
  run.emit({ kind: 'decided', move, ids, count, reason })
  run.deps.metrics.count('decisions', { pool: run.deps.pool, move, reason: reason.code }, count)
}
