// One attempt to join: each master in turn, beginning with the one that served last, until one takes the agent.

import { masterUrl } from '../../pki/index.ts'
import type { Clock, Logger } from '../../platform/index.ts'
import { type Problem, ProvisionError } from '../../problems/index.ts'
import { pingInterval, pongDeadline } from '../protocol/connection.ts'
import { mustRestart } from '../protocol/messages.ts'
import { masterOf, optionsForEach } from './options.ts'
import {
  type DialFault,
  dialFault,
  explainDial,
  holdSession,
  type SessionContext,
  type SessionEnd,
} from './session.ts'

/** What came of a round. */
export type RoundEnd =
  /** A master took the agent; `ms` later the connection broke. */
  | { kind: 'served'; fault: DialFault; ms: number }
  | { kind: 'shut_down'; reason: string }
  /** A master asks the agent to dial again later, and no other one took or refused it: no failure of the agent. */
  | { kind: 'asked_to_wait'; fault: DialFault }
  /** `unreached`: none of them was reached. */
  | { kind: 'failed'; fault: DialFault; unreached: boolean }
  | { kind: 'aborted' }

export interface Rounds {
  /** `reconnect`: the agent had joined before. */
  next(reconnect: boolean): Promise<RoundEnd>
}

export function createRounds(context: SessionContext): Rounds {
  const { clock, logger, signal } = context
  const masters = optionsForEach(context.options).map((options) => ({ ...context, options }))
  const isOne = masters.length === 1
  const report = reporter(logger)
  const mayWait = waits(clock)
  let servedLast = 0

  return {
    async next(reconnect) {
      const tried: Tried[] = []
      for (let n = 0; n < masters.length; n++) {
        const index = (servedLast + n) % masters.length
        const own = masters[index]!
        const began = clock.now()
        const end = await holdSession(reconnect, own)
        if (signal.aborted) return { kind: 'aborted' }
        if (end.kind === 'shut_down') return end
        if (end.kind === 'over' && end.joined) {
          servedLast = index
          mayWait.forget()
          report.forget()
          const fault = { reason: end.reason, ...(!isOne && { master: urlOf(own) }) }
          return { kind: 'served', fault, ms: clock.now() - began }
        }
        const { reason } = end.kind === 'over' ? end : dialFault(end.error, own.options, own.env)
        // It leads, and has given the work of this agent away: no other one has more to say.
        if (reconnect && mustRestart(reason)) return { kind: 'shut_down', reason }
        // Another dial finds the details of some faults; the next master does not wait for it.
        const fault = end.kind === 'over' ? Promise.resolve({ reason }) : explainDial(end.error, own)
        if (!isOne) void fault.then((found) => report.fault(urlOf(own), found))
        tried.push({ end, fault, url: urlOf(own) })
      }
      const isWaiting = mayWait.after(tried.map((one) => answerOf(one, reconnect && !isOne)))
      const round = await outcome(tried, isWaiting)
      return signal.aborted ? { kind: 'aborted' } : round
    },
  }
}

interface Tried {
  url: string
  end: SessionEnd
  fault: Promise<DialFault>
}

async function outcome(tried: readonly Tried[], isWaiting: boolean): Promise<RoundEnd> {
  const isOne = tried.length === 1
  const found = await Promise.all(tried.map(async ({ url, fault }) => ({ url, ...(await fault) })))
  const fault = isOne ? await tried[0]!.fault : together(found)
  if (isWaiting) return { kind: 'asked_to_wait', fault }
  const unreached = tried.every(({ end }) => end.kind === 'not_connected')
  return { kind: 'failed', fault, unreached }
}

/** What a master that did not take the agent has answered; `none`: nothing, because it was not reached. */
type Answer = 'later' | 'still connected' | 'none' | 'refused'

function answerOf({ end }: Tried, mayBeConnected: boolean): Answer {
  if (end.kind !== 'not_connected') return 'refused'
  if (isAskedToWait(end.error)) return 'later'
  if (mayBeConnected && isStillConnected(end.error)) return 'still connected'
  return refusalOf(end.error) ? 'refused' : 'none'
}

/** Milliseconds in a row: by then a master has closed a connection that became silent (75 s). */
const stillConnectedFor = pongDeadline + pingInterval

/**
 * Whether rounds may wait. A master that stands by answers for itself alone: if another one refuses the agent, that
 * decides. A master that takes the agent for connected for too long has another agent of that name.
 */
function waits(clock: Clock) {
  let connectedSince: number | undefined
  return {
    after(answers: readonly Answer[]): boolean {
      const isConnected = answers.includes('still connected')
      connectedSince = isConnected ? (connectedSince ?? clock.now()) : undefined
      if (answers.includes('refused')) return false
      if (connectedSince === undefined) return answers.includes('later')
      return clock.now() - connectedSince < stillConnectedFor
    },
    forget(): void {
      connectedSince = undefined
    },
  }
}

function together(found: readonly (DialFault & { url: string })[]): DialFault {
  const [first, ...others] = found.map(({ kind }) => kind)
  const isSame = first !== undefined && others.every((kind) => kind === first)
  const reason = found.map((one) => `${one.url}: ${one.reason}`).join('; ')
  return { ...(isSame && { kind: first }), reason }
}

function urlOf({ options }: Pick<SessionContext, 'options'>): string {
  return masterUrl(masterOf(options))
}

/** A temporary rejection (503): a master without a listing of its instances yet, or a standby. Not a failure of the agent. */
function isAskedToWait(error: unknown): boolean {
  return refusedWith(error, 503)
}

/** With several masters the agent gives up a silent connection sooner than a master does, which takes no second one until then. */
function isStillConnected(error: unknown): boolean {
  return refusedWith(error, 500) && /already connected/.test((error as ProvisionError).message)
}

function refusedWith(error: unknown, status: number): boolean {
  return refusalOf(error)?.details?.['status'] === status
}

/** The answer of a master that was reached. */
function refusalOf(error: unknown): Problem | undefined {
  const [first] = error instanceof ProvisionError ? error.problems : []
  return first?.code === 'AGENT_REFUSED' ? first : undefined
}

/** Logs what is wrong with each of several masters, once until it changes or a master has served. */
function reporter(logger: Logger) {
  const said = new Map<string, string>()
  return {
    fault(master: string, fault: DialFault): void {
      if (said.get(master) === fault.reason) return
      said.set(master, fault.reason)
      logger.warn('a master does not take this agent', { master, ...fault })
    },
    forget: () => said.clear(),
  }
}
