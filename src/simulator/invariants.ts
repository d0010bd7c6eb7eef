// The promises that must hold in every world, whatever goes wrong. The numbers are those in
// docs/internals/reliability.md.
import type { FleetEvent } from '../fleet/index.ts'
import type { Demand } from '../planner/index.ts'
import type { JournalRecord } from '../platform/index.ts'
import type { Epoch } from '../state/index.ts'
import {
  type BeforeLoss,
  checkDrained,
  checkStopped,
  type Drained,
  noteCommitsLost,
  noteEvent,
  noteListed,
  noteLossyCrash,
  noteMemoryLost,
  noteTermAgain,
  noteTimeUnknown,
} from './change-checks.ts'
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
import { checkDrift } from './drift-checks.ts'
import { checkPlaced, checkRoom } from './foreign-agent-checks.ts'
import { checkTerminated } from './late-effect-checks.ts'
import {
  checkLeaders,
  checkOpen,
  checkSameRequest,
  checkTerm,
  createLeadershipEvidence,
} from './leadership-checks.ts'
import {
  type Comparing,
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
import {
  checkRolloutEnds,
  forgetRolled,
  forgetRollout,
  noteDrainSent,
  noteRestarted,
  noteRolloutEvent,
} from './rollout-checks.ts'
import { nameOfWriter } from './scenario.ts'
import type { Work } from './scheduler.ts'

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
  15: 'nothing is launched, drained or terminated while the pool is paused',
  16: 'failed launches are kept within launch_rate, also across restarts',
  17: 'nothing changes before the cloud was listed, or while instances of another writer are in the pool',
  18: 'an agent that was drained is terminated or gets jobs again, and none stays drained after a stop',
  19: 'the breaker opens because of new failures only, and limits launches until an instance is usable',
  20: "at most one epoch's launch per intent, nothing decided without a lease, and each pool is led again soon",
  21: 'an instance is drifted exactly if it was made from something else than is launched now',
  22: 'a rollout keeps its budget, min_instances and the old instances until a new one has lasted, and ends',
}

export interface Invariants extends Findings {
  watcher(name: string): Watcher
  onEvent(name: string, event: FleetEvent): void
  /** It is about to compare its instances with what is launched now. */
  onCompare(name: string, fleet: Comparing): void
  onStart(name: string): void
  onStopping(name: string): void
  /** It has stopped, and its process is not over yet. */
  onStopped(name: string): void
  /** Its machine is suspended, and runs again. */
  onSuspended(name: string): void
  onAwake(name: string): void
  /** Its term is over, and nobody leads the pool until the next start. */
  onTermOver(name: string): void
  /** The same process leads it again, with what it knows. */
  onTermAgain(name: string): void
  /** A host decides something or makes a call that changes something, or the store accepts a write of that epoch. */
  onActing(host: string, epoch: Epoch): void
  onAccepted(epoch: Epoch): void
  /** It died in the middle of a call, which may have been a write. */
  onLossyCrash(name: string): void
  /** The machine was booted with another clock: how much time has passed is not known. */
  onTimeUnknown(name: string): void
  onPaused(name: string, paused: boolean): void
  /** The pause is written down. */
  onPauseConfirmed(name: string): void
  /** A pause of the rollout is confirmed, or its end is ordered. */
  onRolloutPaused(name: string, paused: boolean): void
  onMemoryLost(name: string): void
  /** Its store lacks what was written last; `leaderDies`: so does everybody. */
  onCommitsLost(name: string, before: BeforeLoss, leaderDies: boolean): void
  /** A copy of its state is started under another name. */
  onCloned(name: string, clone: string): void
  /** The provisioner that searches for orphans has terminated some. */
  onOrphansTerminated(name: string, ids: readonly string[]): void
  onWritten(name: string, record: JournalRecord): void
  onCreated(vm: CloudInstance): void
  /** A termination takes effect. */
  onTerminating(vm: CloudInstance): void
  /** The master has placed a job. */
  onPlaced(work: Work): void
  /** Runs the checks that are possible at any time; `check` runs them too. */
  checkNow(): void
  /** Called after every step. True once the world has come to rest, or a promise is broken. */
  check(): boolean
}

function readDemand(seen: Observations, demand: Demand, took: number): void {
  seen.demand = demand
  seen.demandTook = took
}

/** What arrived while the machine was suspended is read now; a view of the master only if the fleet still waits for it. */
function wakeUp({ clock }: ObservedWorld, seen: Observations): void {
  const { arrivals, partialSince } = seen
  if (partialSince?.asleep) seen.partialSince = { step: clock.steps, asleep: false }
  seen.suspendedAt = undefined
  seen.arrivals = []
  for (const { demand, startedAt } of arrivals) {
    const took = clock.now() - startedAt
    if (took <= demandDeadline && demand.at >= (seen.demand?.at ?? 0)) readDemand(seen, demand, took)
  }
}

/** Milliseconds. */
const demandDeadline = 60_000

/** `observed` can be called once the world is complete. */
export function createInvariants(observed: () => ObservedWorld): Invariants {
  const violations: Violation[] = []
  const seen = new Map<string, Observations>()
  const neglect = createNeglect()
  const progress = createProgress()
  const drained: Drained = new Map()
  const leadership = createLeadershipEvidence()

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
        onLaunchCall(order) {
          checkSameRequest(observed(), leadership, order)
          checkLaunchCall(observed(), of(name), order)
        },
        onLaunched: (order, result) => checkLaunchResult(observed(), of(name), order, result),
        onTerminateCall: (ids) => checkTerminateCall(observed(), of(name), ids),
        onDrainCall(id) {
          noteDrainSent(of(name), id)
          checkDrainCall(observed(), of(name), id)
        },
        onUndrainCall: (id) => checkUndrainCall(observed(), of(name), id),
        onListCall: () => checkListCall(observed(), of(name)),
        onListed(startedAt, listing) {
          if (isOver()) return
          const { complete } = listing
          const known = of(name)
          const before = known.listing?.completeAt ?? 0
          known.listing = { completeAt: complete ? startedAt : before, complete }
          if (complete) known.partialSince = undefined
          else
            known.partialSince ??= { step: observed().clock.steps, asleep: known.suspendedAt !== undefined }
          noteListed(observed(), of(name), listing)
        },
        onRead(demand, startedAt) {
          if (isOver() || demand.at < (of(name).demand?.at ?? 0)) return
          if (of(name).suspendedAt !== undefined) of(name).arrivals.push({ demand, startedAt })
          else readDemand(of(name), demand, observed().clock.now() - startedAt)
          for (const { id, slots } of demand.agents) {
            if (!observed().cloud.instances.has(id)) continue
            if (of(name).joined.has(id)) continue
            of(name).joined.add(id)
            if (slots >= (observed().cloud.instances.get(id)?.slots ?? 0)) of(name).failedMade = 0
          }
        },
      }
    },
    onCompare: (name, fleet) => checkDrift(observed(), of(name), fleet),
    onEvent(name, event) {
      noteEvent(observed(), of(name), event)
      noteRolloutEvent(observed(), of(name), event)
      if (event.kind === 'decided' && (event.move === 'terminate' || event.move === 'drain'))
        for (const id of event.ids) of(name).reasons.set(id, event.reason.code)
    },
    onStart(name) {
      Object.assign(of(name), {
        upSince: observed().clock.now(),
        stoppingAt: undefined,
        demand: undefined,
        listing: undefined,
        hasListed: false,
        foreign: new Map(),
        suspendedAt: undefined,
        partialSince: undefined,
        arrivals: [],
      })
      of(name).sharedUntil ??= observed().clock.now() + 1000
      of(name).starts.push(observed().clock.now())
      neglect.since.clear()
      forgetRolled(of(name), false)
    },
    onStopping(name) {
      forgetRolled(of(name), true)
      of(name).stoppingAt = observed().clock.now()
    },
    onStopped: (name) => checkStopped(observed(), of(name)),
    onSuspended(name) {
      of(name).suspendedAt = observed().clock.now()
    },
    onAwake(name) {
      wakeUp(observed(), of(name))
      of(name).upSince = observed().clock.now()
      neglect.since.clear()
      drained.clear()
    },
    onTermOver(name) {
      Object.assign(of(name), { upSince: undefined, stoppingAt: undefined, suspendedAt: undefined })
    },
    onTermAgain(name) {
      of(name).upSince = observed().clock.now()
      noteTermAgain(of(name))
      neglect.since.clear()
      drained.clear()
    },
    onActing: (host, epoch) => checkTerm(observed(), `${host} acts`, epoch, true),
    onAccepted: (epoch) => checkTerm(observed(), 'a write is accepted', epoch, false),
    onLossyCrash(name) {
      noteLossyCrash(observed(), of(name))
      delete of(name).rollout.failed
    },
    onTimeUnknown: (name) => noteTimeUnknown(observed(), of(name)),
    onPaused(name, paused) {
      of(name).pausedAt = paused ? observed().clock.now() : undefined
      if (!paused) of(name).pausedSince = undefined
    },
    onPauseConfirmed(name) {
      if (of(name).pausedAt !== undefined) of(name).pausedSince ??= observed().clock.now()
    },
    onRolloutPaused(name, paused) {
      const { rollout } = of(name)
      rollout.pausedSince = paused ? observed().clock.now() : undefined
      if (!paused) noteRestarted(observed(), of(name))
    },
    onMemoryLost(name) {
      of(name).written.clear()
      of(name).made.clear()
      forgetRollout(of(name))
      noteMemoryLost(observed(), of(name))
    },
    onCommitsLost(name, before, leaderDies) {
      of(name).made.clear()
      forgetRollout(of(name))
      noteCommitsLost(observed(), of(name), before, leaderDies)
    },
    onCloned(name, clone) {
      const { written, sent, adopted, pausedSince } = of(name)
      Object.assign(of(clone), {
        written: new Set(written),
        original: name,
        pausedSince,
        sharedIntents: new Set(written),
        sent: new Map(sent),
        adopted: new Set(adopted),
      })
    },
    onOrphansTerminated: (name, ids) => checkOrphansTerminated(observed(), of(name), ids),
    onWritten: (name, record) => checkWritten(observed(), of(name), record),
    onCreated(vm) {
      const seen = of(nameOfWriter(vm.instance.writerId!))
      checkOpen(observed(), seen, vm)
      checkCreated(observed(), seen, vm)
    },
    onTerminating: ({ instance: { id } }) => checkTerminated(observed(), id),
    onPlaced: (work) => checkPlaced(observed(), work),
    checkNow() {
      checkRoom(observed())
      checkOrphans(observed(), neglect)
      checkDrained(observed(), drained)
      checkSilence(observed(), progress)
    },
    check() {
      checkLeaders(observed(), leadership)
      checkRoom(observed())
      checkOrphans(observed(), neglect)
      checkDrained(observed(), drained)
      checkProgress(observed(), progress)
      checkSilence(observed(), progress)
      const isRolledOut = checkRolloutEnds(observed(), progress)
      return isAtRest(observed(), progress, isRolledOut)
    },
  }
}
