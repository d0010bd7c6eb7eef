// What each event makes of a piece of work, as pure steps. Work that is over never changes again.
import { type Container, type ContainerFailure, failureTypes, isProgress } from '../protocol/container.ts'
import type { ContainerReattachAck } from '../protocol/messages.ts'
import { type Allocation, isOver, live, type Outcome, type Placed, type Work } from './allocation.ts'
import type { Fit } from './placement.ts'

export interface Submission {
  task: string
  name: string
  pool: string
  slots: number
  priority: number
  work: Work
}

export function submitted(submission: Submission, now: number): Allocation {
  return { ...submission, id: `${submission.task}.1`, state: 'pending', containers: [], submittedAt: now }
}

/** It has agents. Work that only lasts runs at once; a command is ASSIGNED until its agent says more. */
export function assigned(allocation: Allocation, fits: Fit[], newId: () => string, now: number): Allocation {
  const state = allocation.work.kind === 'duration' ? 'RUNNING' : 'ASSIGNED'
  const containers = fits.map(({ agentId, devices }): Placed => {
    return { id: newId(), state, devices, description: allocation.name.slice(0, 63), agentId, failure: null }
  })
  return { ...allocation, state: 'running', containers, startedAt: now }
}

/** An agent says how one of its containers is. News of the past and of foreign containers change nothing. */
export function reported(
  allocation: Allocation,
  agentId: string,
  news: Pick<Container, 'id' | 'state'>,
  failure: ContainerFailure | null,
  now: number,
): Allocation {
  const container = live(allocation).find(({ id }) => id === news.id)
  if (!container || container.agentId !== agentId || !isProgress(container.state, news.state))
    return allocation
  if (news.state === container.state) return allocation
  return settled(changed(allocation, container.id, { state: news.state, failure }), now)
}

/** An agent is gone for good: nobody knows how far its containers came. */
export function agentGone(allocation: Allocation, agentId: string, reason: string, now: number): Allocation {
  const failure = { FailureType: failureTypes.agentFailed, ErrMsg: reason, ExitCode: null }
  let next = allocation
  for (const { id } of live(allocation).filter((container) => container.agentId === agentId))
    next = changed(next, id, { state: 'TERMINATED', failure })
  return next === allocation ? allocation : settled(next, now)
}

/** Its time is up: only for work that lasts. */
export function timeUp(allocation: Allocation, now: number): Allocation {
  if (allocation.work.kind !== 'duration' || allocation.state !== 'running') return allocation
  return settled(withoutLife(allocation), now)
}

/** Ordered to end. Commands are `ending` until their agents say that they have. */
export function killed(allocation: Allocation, reason: string, now: number): Allocation {
  if (isOver(allocation) || allocation.outcome) return allocation
  return settled({ ...allocation, outcome: 'killed', reason }, now)
}

export interface Reattached {
  allocation: Allocation
  /** Containers whose start order never reached the agent: it is to be sent again. */
  startAgain: Placed[]
}

/**
 * An agent is back and says which of its containers it still has. One it does not know, of which it never said a word,
 * was never started: our agents write down what they start before they start it.
 */
export function reattached(
  allocation: Allocation,
  agentId: string,
  acks: ContainerReattachAck[],
  now: number,
): Reattached {
  if (allocation.work.kind !== 'command') return { allocation, startAgain: [] }
  const startAgain: Placed[] = []
  let next = allocation
  for (const container of live(allocation).filter((placed) => placed.agentId === agentId)) {
    const ack = acks.find(({ Container }) => Container.id === container.id)
    const unknown = !ack || ack.Failure?.FailureType === failureTypes.restoreError
    if (unknown && container.state === 'ASSIGNED' && !allocation.outcome) startAgain.push(container)
    else if (unknown) {
      const ErrMsg = ack?.Failure?.ErrMsg ?? 'its agent came back without it'
      const failure = { FailureType: failureTypes.restoreError, ErrMsg, ExitCode: null }
      next = settled(changed(next, container.id, { state: 'TERMINATED', failure }), now)
    } else {
      const state = ack.Failure ? 'TERMINATED' : ack.Container.state
      next = reported(next, agentId, { id: container.id, state }, ack.Failure, now)
    }
  }
  return { allocation: next, startAgain }
}

function changed(allocation: Allocation, id: string, change: Partial<Placed>): Allocation {
  const containers = allocation.containers.map((container) =>
    container.id === id ? { ...container, ...change } : container,
  )
  return { ...allocation, containers }
}

/** Draws the conclusion: the first container that fails decides the outcome; the work is over with its last container. */
function settled(allocation: Allocation, now: number): Allocation {
  const failed = allocation.containers.find(({ state, failure }) => state === 'TERMINATED' && failure)
  const outcome = allocation.outcome ?? (failed && outcomeOf(failed.failure!))
  const reason = allocation.reason ?? (failed && reasonOf(failed))
  // No agent has to be waited for where none was told.
  const over = outcome && allocation.work.kind === 'duration'
  const next = {
    ...(over ? withoutLife(allocation) : allocation),
    ...(outcome && { outcome }),
    ...(reason && { reason }),
  }
  if (live(next).length > 0) return { ...next, state: outcome ? 'ending' : 'running' }
  return { ...next, state: outcome ?? 'finished', outcome: outcome ?? 'finished', endedAt: now }
}

function withoutLife(allocation: Allocation): Allocation {
  const containers = allocation.containers.map((container): Placed => ({ ...container, state: 'TERMINATED' }))
  return { ...allocation, containers }
}

const losses: string[] = [failureTypes.agentFailed, failureTypes.restoreError, failureTypes.containerMissing]

function outcomeOf(failure: ContainerFailure): Outcome {
  return losses.includes(failure.FailureType) ? 'lost' : 'failed'
}

function reasonOf({ agentId, failure }: Placed): string {
  const { FailureType, ErrMsg, ExitCode } = failure!
  const words = `${agentId}: ${ErrMsg || FailureType}`
  // An agent's own words may end with it.
  return ExitCode === null || words.endsWith(` ${ExitCode}`) ? words : `${words} (exit code ${ExitCode})`
}
