// What blocks a pool, apart from what the plan finds itself, and how it is reported.

import type { BlockDecision, Decision, Hold, ReasonCode } from '../planner/index.ts'
import { codeInfo, type Problem, problem } from '../problems/index.ts'
import { launchErrorOf } from './failures.ts'
import type { PoolMemory } from './memory.ts'
import { isOfDatabase } from './right.ts'
import { type LaunchInputs, type PoolRun, type PoolSettings, reportProblem } from './run.ts'

/** What stops launches and removals. Checked again right before a termination, which is decided a while before. */
export function stopsOf({ paused, foreign, otherAccount, problems }: PoolMemory): Hold[] {
  const holds: Hold[] = []
  const both = ['launch', 'remove'] as const
  if (paused) holds.push({ code: 'PAUSED', stops: both })
  if (foreign.size > 0)
    holds.push({ code: 'FOREIGN_WRITER', stops: both, numbers: { instances: foreign.size } })
  if (otherAccount) holds.push({ code: 'ACCOUNT_CHANGED', stops: both })
  if (isOfDatabase(problems.get('journal'))) holds.push({ code: 'JOURNAL_FAILING', stops: both })
  return holds
}

/** A journal may be known to be out of reach before anything was to be written. The next successful write clears it. */
export function noteJournalFault(run: PoolRun): void {
  const fault = run.deps.journal.fault?.()
  if (fault) reportProblem(run, 'journal', fault)
}

export function holdsOf(
  memory: PoolMemory,
  settings: PoolSettings,
  material: LaunchInputs,
  now: number,
): Hold[] {
  const holds = stopsOf(memory)
  if (memory.clearing) holds.push({ code: 'CLEARING', stops: ['launch'] })
  if (memory.journalMissing) holds.push(journalHold(memory, settings.visibility))
  if (memory.problems.has('journal') && !isOfDatabase(memory.problems.get('journal')))
    holds.push({ code: 'JOURNAL_FAILING', stops: ['launch'] })
  if (material.kind === 'refused') holds.push({ code: 'LAUNCH_NOT_READY', stops: ['launch'] })
  const { failures } = memory.launchError
  if (launchErrorOf(memory.launchError, settings.launchError, now))
    holds.push({ code: 'LAUNCH_ERROR', stops: ['launch'], numbers: { failures } })
  const unsettled = [...memory.intents.values()].filter((intent) => !intent.sending).length
  if (unsettled > 0) holds.push({ code: 'LAUNCH_UNSETTLED', stops: [], numbers: { intents: unsettled } })
  return holds
}

/** With the time from which launches are possible, once there was a first complete listing. */
function journalHold(memory: PoolMemory, visibility: number): Hold {
  const { firstCompleteAt } = memory
  const numbers: Record<string, number> =
    firstCompleteAt === undefined ? {} : { retryAt: firstCompleteAt + apartOf(memory, visibility) }
  return { code: 'JOURNAL_MISSING', stops: ['launch'], numbers }
}

function apartOf({ settleApart }: PoolMemory, visibility: number): number {
  return visibility === 0 ? 0 : settleApart
}

/** Ends the wait for a lost journal when listings have shown enough; returns whether it ended now. */
export function settleJournal(memory: PoolMemory, visibility: number): boolean {
  if (!memory.journalMissing || !memory.listing?.complete || memory.firstCompleteAt === undefined)
    return false
  if (memory.listing.completeAt - memory.firstCompleteAt < apartOf(memory, visibility)) return false
  memory.journalMissing = false
  return true
}

/** The problem behind a hold, if there is a more specific one. */
export function problemBehind(
  code: ReasonCode,
  memory: PoolMemory,
  material: LaunchInputs,
): Problem | undefined {
  if (code === 'LAUNCH_NOT_READY' && material.kind === 'refused') return material.problem
  if (code === 'LAUNCH_ERROR') return memory.launchError.problem
  if (code === 'ACCOUNT_CHANGED') return memory.problems.get('account')
  if (code === 'JOURNAL_FAILING') return memory.problems.get('journal')
  if (code === 'LISTING_MISSING' || code === 'LISTING_PARTIAL') return memory.problems.get('list')
  if (code === 'DEMAND_MISSING') return memory.problems.get('master')
  return undefined
}

/** The answer to a manual launch that is blocked. */
export function blockedLaunch(
  reason: BlockDecision['reason'],
  run: Pick<PoolRun, 'memory' | 'bornAt' | 'now'>,
  material: LaunchInputs,
): Problem {
  const found = problemBehind(reason.code, run.memory, material) ?? problemOfBlock(reason, run)
  // A warning otherwise; an error for the person whose launch is refused.
  return { ...found, severity: 'error' }
}

function problemOfBlock(
  { code, numbers }: BlockDecision['reason'],
  run: Pick<PoolRun, 'memory' | 'bornAt' | 'now'>,
): Problem {
  if (code === 'LISTING_MISSING') return notListed(run)
  const { max, room, failed, left, retryAt } = numbers
  if (code === 'MAX_REACHED') return problem(code, `max_instances is ${max}: ${room} more can be launched`)
  if (code === 'LAUNCH_RATE_SPENT')
    return problem(
      code,
      `${failed} launched instances failed: ${left} may be launched now${retryAt ? `, the next at ${new Date(retryAt).toISOString()}` : ''}`,
    )
  const notBefore = retryAt ? `; not before ${new Date(retryAt).toISOString()}` : ''
  return problem(code, codeInfo(code).meaning.replace(/\.$/, '') + notBefore)
}

/** No listing has failed: the first one is in progress, or the next one takes long. */
function notListed({
  memory: { listing },
  bornAt,
  now,
}: Pick<PoolRun, 'memory' | 'bornAt' | 'now'>): Problem {
  const ago = (at: number) => `${Math.round((now() - at) / 1000)} s`
  const message = listing
    ? `the last complete listing of the instances is ${ago(listing.completeAt)} old, and the next one is in progress`
    : `the instances are being listed for the first time since the pool runs here, for ${ago(bornAt)}`
  return problem('LISTING_MISSING', message, {
    remedy:
      'Repeat the order in 10 s; if it is refused again, `provision status` shows what the listing waits for.',
  })
}

// Reasons that block a wanted step: reported when they change, not at every turn.

/** These come and go with every launch. */
const passing: readonly ReasonCode[] = ['LAUNCH_IN_FLIGHT', 'LAUNCH_UNSETTLED']

/** Not blocked yet: at a start the first read of the cloud or of the master is in progress, and nothing has failed. */
function isFirstRead(
  { code, numbers }: Decision['reason'],
  { problems }: Pick<PoolMemory, 'problems'>,
): boolean {
  if (code === 'DEMAND_MISSING') return numbers['age'] === undefined && !problems.has('master')
  return code === 'LISTING_MISSING' && numbers['age'] === undefined && !problems.has('list')
}

/** Keeps since when each code has been blocking without a break. */
export function rememberHolds(
  since: Map<string, number>,
  { at, decisions }: { at: number; decisions: readonly Decision[] },
): void {
  const codes = new Set<string>(
    decisions.flatMap(({ kind, reason }) => (kind === 'hold' ? [reason.code] : [])),
  )
  for (const code of since.keys()) if (!codes.has(code)) since.delete(code)
  for (const code of codes) if (!since.has(code)) since.set(code, at)
}

/** Reports the holds if their codes differ from those reported before; returns the value to pass next time. */
export function reportHolds(run: PoolRun, decisions: readonly Decision[], before: string): string {
  const reasons = decisions.flatMap(({ kind, reason }) =>
    kind === 'hold' && !passing.includes(reason.code) && !isFirstRead(reason, run.memory) ? [reason] : [],
  )
  const codes = [...new Set(reasons.map(({ code }) => code))].sort().join(' ')
  if (codes !== before) run.emit({ kind: 'blocked', reasons })
  return codes
}
