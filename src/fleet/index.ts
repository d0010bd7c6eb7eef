// The loop around the plan, one for each pool: observe, decide, act, and write everything down.
// Imports problems, platform, planner, agent-setup, providers, demand and state.
// Start here: createPoolFleet() is the loop, decide.ts one turn of it.

import type { ManualLaunch } from '../planner/index.ts'
import { createWakeup } from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { listingRetry } from '../providers/index.ts'
import { type Admission, admissionOf, unlistedAt } from './admission.ts'
import { type Turn, takeTurn } from './decide.ts'
import { readDemand } from './demand.ts'
import { launchErrorOf } from './failures.ts'
import { restampGenerations } from './generations.ts'
import { blockedLaunch, rememberHolds, reportHolds } from './holds.ts'
import type { ManagedInstance } from './memory.ts'
import { letOthersRun, listInstances, lookUp } from './observe.ts'
import { createFleetOrders, isKeepable } from './ordered.ts'
import { hasStarting, listingFrom, lookups, nextPoll, nextSharedListing, startingIds } from './pace.ts'
import { recallJournal } from './recall-journal.ts'
import { checkpointOf } from './records.ts'
import { cleared, undrain } from './removal.ts'
import { assertLed, assertWritable, rightOver } from './right.ts'
import { createRun, type PoolDeps, type PoolRun, type PoolSettings, writtenBy } from './run.ts'
import { foreignWriters, type PoolStatus, statusOf } from './status.ts'

export { type ClusterLocation, keyOf } from '../state/index.ts'
export type { Admission } from './admission.ts'
export type { FleetEvent } from './events.ts'
export { type Refusal, refusalGrowth } from './failures.ts'
export { guardedCluster, guardedDemand } from './guarded.ts'
export type { ManagedInstance } from './memory.ts'
export { leftProblem, locationOf } from './orphan-reports.ts'
export { createOrphanWatch, type FoundOrphan, type OrphanStatus, type OrphanWatch } from './orphans.ts'
export { type OwnWriters, withAdopted, writersOf } from './own-writers.ts'
export type { LaunchInputs, PoolSettings, SharedView } from './run.ts'
export type { PoolStatus } from './status.ts'
export {
  agent,
  count,
  fleetCode,
  instanceShape,
  knownOffering,
  offering,
  type ShapeOf,
  text,
  time,
  unplaced,
} from './stored-shapes.ts'

export interface PoolFleet {
  readonly pool: string
  /** Reads the journal and starts the loop. Resolves when it first polls the cloud and the master. */
  start(): Promise<void>
  /** Stops deciding, waits a while for calls in progress, undrains agents. VMs keep running. */
  stop(): Promise<void>
  /** The right to the pool is over: from now on there is no call and no write any more. `stop` then waits for nothing. */
  abandon(): void
  /** The store answers again: a journal whose last write failed is repaired now. */
  repair(): void
  /** Until `resume`, also after a restart, nothing is launched or terminated. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** `pause`: no more outdated instances are taken out of service, also after a restart; `restart`: until this, which also tries a
   * generation that failed again. */
  rollout(order: 'pause' | 'restart'): Promise<void>
  /** Takes over the VMs of other writers; returns those writers. */
  adopt(): Promise<string[]>
  /** Resolves once the cloud was listed, or could not be, since this loop began: a launch on order needs that. After `ms` at the latest. */
  listed(ms: number): Promise<void>
  /** Launches VMs on a person's order, in addition to those jobs need; returns the intent. Throws the reason if it must not. */
  launch(count: number): string
  /**
   * Resolves when the launch with this id is written down, so that it is carried out. Throws STATE_RIGHT_LOST: it is not; and
   * ORDER_UNCERTAIN.
   */
  launchWritten(id: string): Promise<void>
  /** Removes VMs on a person's order. Returns the ids that this pool manages. */
  remove(ids: readonly string[], how: 'when_idle' | 'even_if_busy'): Promise<string[]>
  /** Cancels orders to remove VMs that are not terminated yet. Returns the ids of those. */
  keep(ids: readonly string[]): Promise<string[]>
  /**
   * Launches nothing more and terminates every VM, also busy ones; the next start launches again. Waits at most `timeoutMs`
   * milliseconds until the terminations are accepted; returns the ids of what is left.
   */
  clear(timeoutMs: number): Promise<string[]>
  /** New limits or offerings, from now on. */
  reconfigure(settings: PoolSettings): void
  /** The VM was launched by this provisioner, as far as is known. */
  knows(id: string): boolean
  /** The managed instance with this id, as it is known now. */
  instance(id: string): ManagedInstance | undefined
  /** Whether an agent with this id belongs to a managed VM; see `Admission`. */
  admission(id: string): Admission
  /** See `unlistedAt`. */
  unlistedAt(id: string, knownAt: number): number | undefined
  /** The launch error while it lasts, for a master that fails jobs because of it. */
  launchError(): Problem | undefined
  status(): PoolStatus
}

const checkpointEvery = 60_000
/** While the journal cannot be written. */
const repairEvery = 2_000
const stopTime = 10_000
const undrainTime = 2_000
/** Without starting instances nothing is looked up: the next one ends the wait. */
const lookUpIdle = 3_600_000

export function createPoolFleet(deps: PoolDeps, settings: PoolSettings): PoolFleet {
  const { clock, pool } = deps
  const listWakeup = createWakeup(clock)
  const demandWakeup = createWakeup(clock)
  const lookUpWakeup = createWakeup(clock)
  const checkpointWakeup = createWakeup(clock)
  let lastTurn: Turn | undefined
  let held = ''
  let lastChangeAt = clock.now()
  let listDueAt = 0
  let demandDueAt = 0
  const blockedSince = new Map<string, number>()
  let [isLookingUp, isRepairing, isBack, isStarted, isRecalled] = [false, false, false, false, false]
  let loops: Promise<void>[] = []
  const recalled = Promise.withResolvers<void>()
  const listed = Promise.withResolvers<void>()
  let unsubscribe = () => {}
  const run = createRun(deps, settings, () => void turn())
  const orders = createFleetOrders(run, () => void turn())

  /** Undefined when the loop does not run, or the turn failed. */
  function turn(requests: readonly ManualLaunch[] = []): Turn | undefined {
    if (run.stopping || loops.length === 0 || run.isOver()) return undefined
    const from = run.now()
    try {
      const taken = takeTurn(run, requests)
      lastTurn = taken
      held = reportHolds(run, taken.decisions, held)
      rememberHolds(blockedSince, taken)
      if (taken.decisions.some(({ kind }) => kind !== 'hold' && kind !== 'block')) lastChangeAt = run.now()
      hasten()
      repair()
      return taken
    } catch (error) {
      // An internal error must not end the loop: it may not occur in the next turn.
      deps.logger.error('reconciling the pool failed', { pool, error })
      return undefined
    } finally {
      deps.metrics.observe('turn_seconds', (run.now() - from) / 1000, { pool })
    }
  }

  async function keepListing(): Promise<void> {
    const { memory } = run
    const usual = () =>
      deps.shared ? nextSharedListing(memory, run.now()) : nextPoll(memory, lastChangeAt, run.now())
    // The first listing shows what this start finds; pools that start together share it.
    for (let failures = 0, notBefore = run.bornAt; !run.stopping; ) {
      const isComplete = await listInstances(run, notBefore)
      failures = isComplete ? 0 : failures + 1
      await letOthersRun(run)
      turn()
      listed.resolve()
      if (isComplete) deps.onListed?.()
      const why = memory.problems.get('list')
      const wait = failures > 0 ? listingRetry(failures, deps.random, why) : usual()
      listDueAt = run.now() + wait
      await listWakeup.wait(wait)
      notBefore = listingFrom(memory, run.now())
    }
  }

  /** A change may make a shared listing due earlier than planned, or give reason for a lookup. */
  function hasten(): void {
    if (!deps.shared) return
    if (!isLookingUp && hasStarting(run.memory)) lookUpWakeup.trigger()
    if (run.memory.problems.has('list')) return
    if (listDueAt > run.now() + nextSharedListing(run.memory, run.now())) listWakeup.trigger()
  }

  /** A complete journal is what repairs one that failed: it is tried soon, and again until it is written. */
  function repair(): void {
    if (isRepairing || !run.memory.problems.has('journal')) return
    isRepairing = true
    checkpointWakeup.trigger()
  }

  async function keepLookingUp(): Promise<void> {
    for (let from = 0; deps.shared && !run.stopping; ) {
      const ids = startingIds(run.memory, from)
      isLookingUp = ids.length > 0
      if (!isLookingUp) run.memory.problems.delete('lookup')
      else {
        await lookUp(run, ids)
        turn()
        from += ids.length
      }
      await lookUpWakeup.wait(isLookingUp ? lookups.every : lookUpIdle)
    }
  }

  async function keepAsking(): Promise<void> {
    while (!run.stopping) {
      await readDemand(run)
      await letOthersRun(run)
      turn()
      const wait = nextPoll(run.memory, lastChangeAt, run.now())
      demandDueAt = run.now() + wait
      await demandWakeup.wait(wait)
    }
  }

  async function keepCheckpoints(): Promise<void> {
    while (!run.stopping) {
      await checkpointWakeup.wait(checkpointEvery)
      if (isRepairing) await keepRepairing()
      else await checkpoint(run)
    }
  }

  /** Never at once: a disk that takes a whole journal and no record would keep the loop busy. */
  async function keepRepairing(): Promise<void> {
    while (isRepairing) {
      if (!isBack) await checkpointWakeup.wait(repairEvery)
      isBack = false
      if (run.stopping) return
      await checkpoint(run)
      isRepairing = run.memory.problems.has('journal')
    }
    turn()
  }

  function halt(): void {
    run.stopping = true
    run.halt.abort()
    listed.resolve()
    unsubscribe()
    for (const wakeup of [listWakeup, demandWakeup, lookUpWakeup, checkpointWakeup]) wakeup.trigger()
  }

  /** For orders: what came before the journal was read would be overwritten by it. */
  async function ready(): Promise<void> {
    await recalled.promise
    assertLed(run)
    assertWritable(run.deps)
  }

  return {
    pool,
    abandon() {
      run.abandoned = true
      halt()
      run.over.abort(rightOver(pool))
    },
    repair() {
      turn()
      isBack = isRepairing
      if (isBack) checkpointWakeup.trigger()
    },
    async start() {
      isStarted = true
      isRecalled = await recallJournal(run)
      recalled.resolve()
      if (run.stopping) return
      restampGenerations(run)
      await checkpoint(run)
      unsubscribe = deps.demand.onChange((changed) => {
        if (changed !== pool) return
        lastChangeAt = run.now()
        demandWakeup.trigger()
      })
      loops = [keepListing(), keepAsking(), keepLookingUp(), keepCheckpoints()]
    },
    async stop() {
      halt()
      // Which agents are drained is in the journal.
      if (isStarted) await within(run, stopTime, recalled.promise)
      if (run.abandoned) return
      const drained = () => [...run.memory.tracks.values()].filter(isDrained)
      undrain(run, drained(), true)
      await within(run, stopTime, Promise.allSettled([...run.tasks, ...loops]))
      // Those that were being drained before.
      undrain(run, drained(), true)
      await within(run, undrainTime, Promise.allSettled(run.tasks))
      run.over.abort(new ProvisionError(problem('POOL_NOT_RUNNING', `pool ${pool} was stopped meanwhile`)))
      // What was not read must not be replaced.
      if (isRecalled) await within(run, stopTime, checkpoint(run))
    },
    async pause() {
      await ready()
      await orders.setPaused(true)
    },
    async resume() {
      await ready()
      await orders.setPaused(false)
    },
    async rollout(order) {
      await ready()
      await orders.setRollout(order)
    },
    async adopt() {
      await ready()
      const writers = foreignWriters(run.memory)
      // The next listing shows them as managed; until then the pool stays as it is.
      listWakeup.trigger()
      await orders.addAdopted(writers)
      return writers
    },
    listed: (ms) => within(run, ms, listed.promise),
    launch(count) {
      if (!run.stopping) assertLed(run)
      const request = { id: deps.newId(), count }
      const taken = turn([request])
      if (!taken) throw new ProvisionError(notDecided(run, lastTurn))
      for (const decision of taken.decisions)
        if (decision.kind === 'block' && decision.request === request.id)
          throw new ProvisionError(blockedLaunch(decision.reason, run, taken.launchInputs))
      return request.id
    },
    launchWritten: orders.launchWritten,
    async remove(ids, how) {
      await ready()
      return orders.setOrdered(ids, how, () => true)
    },
    async keep(ids) {
      await ready()
      return orders.setOrdered(ids, undefined, isKeepable)
    },
    async clear(timeoutMs) {
      run.memory.clearing = true
      turn()
      return cleared(run, timeoutMs)
    },
    reconfigure(changed) {
      run.settings = changed
      turn()
    },
    knows: (id) => run.memory.tracks.has(id),
    instance: (id) => run.memory.tracks.get(id),
    admission: (id) => admissionOf(run.memory, id),
    unlistedAt: (id, knownAt) => unlistedAt(run.memory, id, knownAt),
    launchError: () => launchErrorOf(run.memory.launchError, run.settings.launchError, run.now()),
    status: () => statusOf(run, lastTurn, { blockedSince, nextPollAt: Math.min(listDueAt, demandDueAt) }),
  }
}

/** Why there is no answer to a manual launch. */
function notDecided({ deps, stopping }: PoolRun, lastTurn: Turn | undefined): Problem {
  const { pool } = deps
  if (stopping) return problem('POOL_NOT_RUNNING', `pool ${pool} is stopped`)
  if (!lastTurn)
    return problem(
      'POOL_NOT_RUNNING',
      `pool ${pool} has begun a moment ago, and has not read its journal yet`,
      {
        remedy: 'Repeat the order in 10 s; `provision status` shows the pool.',
      },
    )
  return problem('INTERNAL', `reconciling pool ${pool} failed: nothing was decided; the log has the reason`)
}

/** By us, perhaps without an answer. A termination that was not sent before the stop is not sent any more. */
function isDrained({ drainedAt, drainDoubtAt, busyWith, ending, condemned }: ManagedInstance): boolean {
  const mayBe = drainedAt !== undefined || drainDoubtAt !== undefined
  return mayBe && !ending && !condemned && (busyWith === undefined || busyWith === 'end')
}

/** Compacts the journal to what is known now. A pool that lost its journal starts a new one only after enough listings. */
async function checkpoint(run: PoolRun): Promise<void> {
  if (run.memory.journalMissing) return
  await run.rewrite(() => checkpointOf(run.memory, run.now(), writtenBy(run.deps))).catch(() => {})
}

async function within(run: PoolRun, ms: number, task: Promise<unknown>): Promise<void> {
  const timer = new AbortController()
  await Promise.race([task, run.deps.clock.sleep(ms, timer.signal).catch(() => {})])
  timer.abort()
}
