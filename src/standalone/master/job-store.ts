// Stores the master's jobs and agents: appends and compacts records; after a failure it waits and rewrites everything.
import type { Clock, JournalRecord, Logger } from '../../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'
import type { JournalLease, JournalOwner, OpenedJournal, StateStore } from '../../state/index.ts'
import type { Agent } from './agent.ts'
import type { Allocation } from './allocation.ts'

export interface JobStore {
  /** The state at the start. */
  readonly found: MasterState
  /** JOURNAL_SET_ASIDE, if a journal was set aside. */
  readonly problems: Problem[]
  /** The journal was missing, damaged or from another cluster: agents may run containers that this master does not know. */
  readonly stateLost: boolean
  /** Resolves with true once the record is stored, without a time limit; with false when the store is closed before. */
  keep(record: StateRecord): Promise<boolean>
  /** Why nothing can be written now; undefined when writing works. */
  fault(): Problem | undefined
  /** Calls back when writing works again after a fault. */
  onMended(listener: () => void): void
  close(): Promise<void>
}

export interface JobStoreOptions {
  store: Pick<StateStore, 'openJournal'>
  lease?: JournalLease
  /** Owner of the journal. Another owner's is rejected. */
  owner?: JournalOwner
  /** Written into the journal; that of another cluster is set aside. Left out: the owner is not checked. */
  clusterId?: string
  clock: Clock
  logger: Logger
}

/** Milliseconds between attempts while nothing can be written. */
const retryEvery = 2000
/** Appended records that justify a rewrite, in addition to a multiple of the live records. */
const compactAfter = 2000
/**
 * Milliseconds after which a journal that lacks records counts as complete: by then agents have returned, and have reported
 * the containers of jobs that were lost. Until then each start asks them.
 */
const lossKept = 600_000

/** For a master whose state is lost when the process exits. */
export function inMemoryJobStore(): JobStore {
  const nothing = {
    found: emptyState(),
    problems: [],
    stateLost: false,
    fault: () => undefined,
    onMended: () => {},
  }
  return { ...nothing, keep: async () => true, close: async () => {} }
}

/** Throws a ProvisionError when the journal cannot be opened (JOURNAL_UNUSABLE) or has another owner (STATE_FOREIGN). */
export async function openJobStore(options: JobStoreOptions): Promise<JobStore> {
  const { store, clusterId, owner: self, lease } = options
  const opened = await store.openJournal({ name: 'master', kind: journalKind, owner: self, lease })
  const { journal } = opened
  const owner = replay(opened.records).clusterId
  if (clusterId === undefined || owner === undefined || owner === clusterId)
    return createJobStore(options, opened)
  let aside: string
  try {
    aside = await journal.setAside()
  } catch (cause) {
    await journal.close()
    throw new ProvisionError(unusable(journal.place, cause as Error))
  }
  const message = `${journal.place} belongs to cluster ${owner}, but this is cluster ${clusterId}; a new file was created, and the old one was moved to ${aside}`
  const problems = [problem('JOURNAL_SET_ASIDE', message)]
  return createJobStore(options, { journal, records: [], problems, isNew: false })
}

function unusable(place: string, cause: Error): Problem {
  if (cause instanceof ProvisionError && cause.problems[0]) return cause.problems[0]
  return problem('JOURNAL_UNUSABLE', `${place}: ${cause.message}`, { cause })
}

/** A store over a journal that is already open. */
export function createJobStore(
  { clusterId, clock, logger }: Omit<JobStoreOptions, 'store'>,
  { journal, records, problems, isNew }: OpenedJournal,
): JobStore {
  const found = replay(records)
  // The state after the records, by the same rule that reads them.
  const state: MasterState = {
    ...found,
    agents: new Map(found.agents),
    allocations: new Map(found.allocations),
  }
  const closed = new AbortController()
  let fault: Problem | undefined
  let mending: Promise<boolean> | undefined
  let compacting = false
  /** Records added after the snapshot that is being written. */
  let behind = false
  let whenMended = () => {}

  async function mend(cause: Error): Promise<boolean> {
    fault = unusable(journal.place, cause)
    logger.error('the state cannot be written; no job starts until it can', { problem: fault })
    while (!closed.signal.aborted) {
      try {
        behind = false
        await journal.rewrite(snapshot(state, clock.now()))
        if (behind) continue
        fault = undefined
        mending = undefined
        logger.info('the state can be written again')
        whenMended()
        return true
      } catch {
        await clock.sleep(retryEvery, closed.signal).catch(() => {})
      }
    }
    return false
  }

  function mended(cause: Error): Promise<boolean> {
    behind = true
    mending ??= mend(cause)
    return mending
  }

  async function compact(): Promise<void> {
    const live = state.agents.size + state.allocations.size
    if (journal.appended > Math.max(compactAfter, 4 * live)) await rewrite()
  }

  async function rewrite(): Promise<void> {
    if (compacting) return
    compacting = true
    await journal.rewrite(snapshot(state, clock.now())).catch(mended)
    compacting = false
  }

  async function keep(record: StateRecord): Promise<boolean> {
    apply(state, record)
    if (mending) return mended(new Error('still failing'))
    try {
      await journal.append(record)
    } catch (error) {
      return mended(error as Error)
    }
    void compact()
    return true
  }

  // What is known here is all there is; a store that lost the last records has it again at once.
  journal.onDoubt?.(() => void rewrite())
  if (problems.some(({ code }) => code === 'STATE_COMMITS_LOST'))
    clock.sleep(lossKept, closed.signal).then(rewrite, () => {})
  if (clusterId !== undefined && found.clusterId === undefined)
    void keep({ at: clock.now(), kind: 'cluster', clusterId })
  return {
    found,
    problems,
    stateLost: isNew || problems.length > 0,
    keep,
    fault: () => fault,
    onMended(listener) {
      whenMended = listener
    },
    async close() {
      closed.abort()
      await journal.close()
    },
  }
}

// The master's records: each contains a complete agent or allocation, so that the last one is the current state.

/** Changes with the format of the records, so that an older file is set aside and not misread. */
export const journalKind = 'master state 1'

export type StateRecord =
  | { at: number; kind: 'cluster'; clusterId: string }
  | { at: number; kind: 'agent'; agent: Agent }
  | { at: number; kind: 'agent_removed'; id: string }
  | { at: number; kind: 'allocation'; allocation: Allocation }
  | { at: number; kind: 'allocation_forgotten'; id: string }

export interface MasterState {
  /** Owner of the state; older versions did not record it. */
  clusterId?: string
  /** By id. */
  agents: Map<string, Agent>
  allocations: Map<string, Allocation>
}

export function emptyState(): MasterState {
  return { agents: new Map(), allocations: new Map() }
}

/** Record kinds of a newer version are skipped. */
export function apply(state: MasterState, record: StateRecord): void {
  // Journals of older versions do not record who drained: an operator's drain is assumed, because it must not be undone.
  if (record.kind === 'agent')
    state.agents.set(record.agent.id, {
      ...record.agent,
      provisionerDrain: record.agent.provisionerDrain ?? false,
    })
  else if (record.kind === 'cluster') state.clusterId = record.clusterId
  else if (record.kind === 'agent_removed') state.agents.delete(record.id)
  else if (record.kind === 'allocation') state.allocations.set(record.allocation.id, record.allocation)
  else if (record.kind === 'allocation_forgotten') state.allocations.delete(record.id)
}

export function replay(records: JournalRecord[]): MasterState {
  const state = emptyState()
  for (const record of records) apply(state, record as StateRecord)
  return state
}

export function snapshot(state: MasterState, at: number): StateRecord[] {
  const { clusterId } = state
  return [
    ...(clusterId === undefined ? [] : [{ at, kind: 'cluster' as const, clusterId }]),
    ...[...state.agents.values()].map((agent) => ({ at, kind: 'agent' as const, agent })),
    ...[...state.allocations.values()].map((allocation) => ({ at, kind: 'allocation' as const, allocation })),
  ]
}
