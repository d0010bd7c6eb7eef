// The promises that must hold in every world, whatever goes wrong. The numbers are those in
// docs/internals/reliability.md.
import type { FleetEvent } from '../fleet/index.ts'
import type { JournalRecord } from '../platform/index.ts'
import {
  checkCreated,
  checkDrainCall,
  checkLaunchCall,
  checkLaunchResult,
  checkListCall,
  checkOrphansTerminated,
  checkTerminateCall,
  checkUndrainCall,
  checkWritten,
} from './checks.ts'
import type { CloudInstance } from './cloud.ts'
import { checkPlaced, checkRoom } from './foreign-agent-checks.ts'
import type { Work } from './master.ts'
import {
  createObservations,
  type Findings,
  type Observations,
  type ObservedWorld,
  type Violation,
} from './observations.ts'
import {
  checkOrphans,
  checkProgress,
  checkSilence,
  createNeglect,
  createProgress,
  isAtRest,
} from './progress.ts'
import type { Watcher } from './provisioner.ts'
import { nameOfWriter } from './scenario.ts'

/** The promise behind each number; 0 is a bug of the program itself. */
export const promises: Record<number, string> = {
  0: 'the loop itself does not fail',
  1: 'no launch takes live and in-flight instances above max_instances',
  2: 'healthy instances are never taken below min_instances',
  3: 'a busy instance is never terminated, except on an explicit order',
  4: 'an intent launches its instances once, is recorded before it is sent, and its token never carries another request',
  5: 'every managed instance joins or is terminated within its time',
  6: 'instances of others are never changed',
  7: 'nothing is launched while agents cannot join',
  8: 'satisfied demand launches nothing, steady demand does not oscillate',
  9: 'jobs that can run get instances in bounded time',
  10: 'calls are bounded during an outage, and have jitter',
  11: 'an instance carries the user data in force at its launch',
  12: 'every blocked change has a reason',
  13: 'no instance is terminated based on an old or partial view',
  14: 'an agent that is no managed instance gets no jobs, and its slots do not count as free',
}

export interface Invariants extends Findings {
  watcher(name: string): Watcher
  onEvent(name: string, event: FleetEvent): void
  onStart(name: string): void
  onStopping(name: string): void
  onPaused(name: string, paused: boolean): void
  onMemoryLost(name: string): void
  /** A copy of its state is started under another name. */
  onCloned(name: string, clone: string): void
  /** The provisioner that searches for orphans has terminated some. */
  onOrphansTerminated(name: string, ids: readonly string[]): void
  onWritten(name: string, record: JournalRecord): void
  onCreated(vm: CloudInstance): void
  /** The master has placed a job. */
  onPlaced(work: Work): void
  /** Runs the checks that are possible at any time; `check` runs them too. */
  checkNow(): void
  /** Called after every step. True once the world has come to rest, or a promise is broken. */
  check(): boolean
}

/** `observed` can be called once the world is complete. */
export function createInvariants(observed: () => ObservedWorld): Invariants {
  const violations: Violation[] = []
  const seen = new Map<string, Observations>()
  const neglect = createNeglect()
  const progress = createProgress()

  function of(name: string): Observations {
    let known = seen.get(name)
    if (!known) {
      known = createObservations(name)
      seen.set(name, known)
    }
    return known
  }

  return {
    violations,
    seen,
    orders: new Map(),
    violated(promise, message) {
      const { timeline, clock } = observed()
      timeline.add('INVARIANT', `${promise} is broken: ${message}`)
      violations.push({ promise, at: clock.now(), step: clock.steps, message })
    },
    watcher(name) {
      // Responses to a dead process do not reach the next one.
      const life = of(name).starts.length + 1
      const isOver = () => of(name).starts.length > life
      return {
        onLaunchCall: (order) => checkLaunchCall(observed(), of(name), order),
        onLaunched: (order, result) => checkLaunchResult(observed(), of(name), order, result),
        onTerminateCall: (ids) => checkTerminateCall(observed(), of(name), ids),
        onDrainCall: (id) => checkDrainCall(observed(), of(name), id),
        onUndrainCall: (id) => checkUndrainCall(observed(), of(name), id),
        onListCall: () => checkListCall(observed(), of(name)),
        onListed(startedAt, { complete }) {
          const before = of(name).listing?.completeAt ?? 0
          if (!isOver()) of(name).listing = { completeAt: complete ? startedAt : before, complete }
        },
        onRead(demand) {
          if (isOver() || demand.at < (of(name).demand?.at ?? 0)) return
          of(name).demand = demand
          for (const { id, slots } of demand.agents) {
            if (!observed().cloud.instances.has(id)) continue
            if (of(name).joined.has(id)) continue
            of(name).joined.add(id)
            if (slots >= (observed().cloud.instances.get(id)?.slots ?? 0)) of(name).failedMade = 0
          }
        },
      }
    },
    onEvent(name, event) {
      if (event.kind === 'decided' && (event.move === 'terminate' || event.move === 'drain'))
        for (const id of event.ids) of(name).reasons.set(id, event.reason.code)
    },
    onStart(name) {
      Object.assign(of(name), {
        upSince: observed().clock.now(),
        stoppingAt: undefined,
        demand: undefined,
        listing: undefined,
      })
      of(name).sharedUntil ??= observed().clock.now() + 1000
      of(name).starts.push(observed().clock.now())
      neglect.since.clear()
    },
    onStopping(name) {
      of(name).stoppingAt = observed().clock.now()
    },
    onPaused(name, paused) {
      of(name).pausedAt = paused ? observed().clock.now() : undefined
    },
    onMemoryLost(name) {
      of(name).written.clear()
    },
    onCloned(name, clone) {
      const { written, sent, adopted } = of(name)
      Object.assign(of(clone), {
        written: new Set(written),
        original: name,
        sharedIntents: new Set(written),
        sent: new Map(sent),
        adopted: new Set(adopted),
      })
    },
    onOrphansTerminated: (name, ids) => checkOrphansTerminated(observed(), of(name), ids),
    onWritten: (name, record) => checkWritten(observed(), of(name), record),
    onCreated: (vm) => checkCreated(observed(), of(nameOfWriter(vm.instance.writerId!)), vm),
    onPlaced: (work) => checkPlaced(observed(), work),
    checkNow() {
      checkRoom(observed())
      checkOrphans(observed(), neglect)
      checkSilence(observed(), progress)
    },
    check() {
      checkRoom(observed())
      checkOrphans(observed(), neglect)
      checkProgress(observed(), progress)
      checkSilence(observed(), progress)
      return isAtRest(observed(), progress)
    },
  }
}
