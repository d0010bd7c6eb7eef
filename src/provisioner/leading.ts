// What this process leads: everything, where it has the whole store; else what its leases say, as long as they say so.
import type { LeaderView } from '../http/index.ts'
import type { Clock, Logger } from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import {
  type Candidate,
  createLeadership,
  type Epoch,
  isSameEpoch,
  type Leadership,
  type LeaseStore,
  type LeaseView,
} from '../state/index.ts'
import { type Term, wholeTerm } from './term.ts'

/** What is led as one: a pool, or everything that hangs on one process. */
export interface Unit {
  /** Rejects when it cannot begin: then the lease is left to others for a while. */
  lead(term: Term): Promise<void>
  /** Ends in order, while the lease is still good. */
  leave(): Promise<void>
  /** The lease was over and is back, and nobody else has led: what could not begin meanwhile is tried again at once. */
  again?(): void
  /** Another process leads it: ends without changing anything. */
  abandon(): Promise<void>
  /** It answers others who would go to the next leader, so it must not wait to see whether there is one. */
  isServer?: boolean
}

export interface LeadingOptions {
  /** undefined where one process has the whole store. */
  leases: LeaseStore | undefined
  /** This process as it announces itself; `pools` is filled in. */
  self: () => Omit<Candidate, 'pools'>
  units: ReadonlyMap<string, Unit>
  clock: Clock
  logger: Logger
  random: () => number
  onView?: (view: LeaseView) => void
}

export interface Leading {
  /** Resolves when everything that could be led at once is. Throws why a unit cannot begin. */
  start(): Promise<void>
  stop(): Promise<void>
  leaderOf(unit: string): LeaderView | undefined
  /** The lease under which this process leads the unit at this moment; undefined where it does not, or has no leases. */
  epochOf(unit: string): Epoch | undefined
  /** Other provisioners that share the state, as last seen. */
  others(): Candidate[]
  problems(): Problem[]
  /** Why the leases cannot be renewed now. */
  fault(): Problem | undefined
}

export function createLeading(options: LeadingOptions): Leading {
  return options.leases ? byLeases({ ...options, leases: options.leases }) : alone(options)
}

function alone({ units, self }: LeadingOptions): Leading {
  return {
    async start() {
      for (const unit of units.values()) await unit.lead(wholeTerm)
    },
    async stop() {
      for (const unit of [...units.values()].reverse()) await unit.leave()
    },
    leaderOf: () => leaderBy(self(), 0, true),
    epochOf: () => undefined,
    others: () => [],
    problems: () => [],
    fault: () => undefined,
  }
}

function leaderBy(
  { host, pid, id, since }: Omit<Candidate, 'pools'>,
  epoch: number,
  self: boolean,
): LeaderView {
  return { host, pid, writerId: id, epoch, since, self }
}

/** Milliseconds for which a unit that could not begin is left to others. */
const restAfterFailure = 10_000

interface Held {
  term: Term
  epoch: Epoch
  /** The unit ends, or has ended: to be led again, it must begin again. */
  isEnding?: true
}

function byLeases(options: LeadingOptions & { leases: LeaseStore }): Leading {
  const { leases, units, clock, logger } = options
  const led = new Map<string, Held>()
  /** Led until the lease was over; nobody else is known to have led it since. */
  const suspended = new Map<string, Held>()
  const restUntil = new Map<string, number>()
  const steps = new Map<string, Promise<void>>()
  let view: LeaseView | undefined
  let viewAt = 0
  let fault: Problem | undefined
  let failure: unknown
  let isStopping = false

  const self = (): Candidate => ({
    ...options.self(),
    pools: [...units.keys()].filter((name) => (restUntil.get(name) ?? 0) <= clock.now()),
  })
  const others = () => {
    const { id } = options.self()
    return view?.candidates.filter((one) => one.id !== id && one.left > 0) ?? []
  }

  /** One step of a unit after the other. */
  function next(name: string, step: (unit: Unit) => Promise<void>): Promise<void> {
    const done = (steps.get(name) ?? Promise.resolve())
      .then(() => step(units.get(name)!))
      .catch((error: unknown) => logger.error('leading failed', { unit: name, error }))
    steps.set(name, done)
    return done
  }

  function termOf(name: string, held: () => Held): Term {
    function isCurrent(): boolean {
      return isSameEpoch(leadership.epochOf(name), held().epoch)
    }
    return {
      name,
      epoch: () => (isCurrent() ? held().epoch : undefined),
      isCurrent,
    }
  }

  function lead(name: string, epoch: Epoch): void {
    const before = suspended.get(name)
    suspended.delete(name)
    // Nobody has led it since, so what this process remembers is the truth.
    if (before && !before.isEnding && epoch.before === before.epoch.nonce) {
      before.epoch = epoch
      led.set(name, before)
      logger.info('leading again', { unit: name, epoch: epoch.number })
      units.get(name)!.again?.()
      return
    }
    const held: Held = { epoch, term: termOf(name, () => held) }
    led.set(name, held)
    logger.info('leading', { unit: name, epoch: epoch.number })
    void next(name, async (unit) => {
      if (before) await unit.abandon()
      try {
        await unit.lead(held.term)
      } catch (error) {
        failure ??= error
        logger.error('what this process should lead could not begin', { unit: name, error })
        restUntil.set(name, clock.now() + restAfterFailure)
        void leadership.giveUp(name)
      }
    })
  }

  function onLost(name: string): void {
    const held = led.get(name)
    led.delete(name)
    if (!held) return
    logger.warn('the lease is over; nothing is launched or terminated', { unit: name })
    suspended.set(name, held)
    if (units.get(name)!.isServer && others().length > 0) abandon(name)
  }

  function abandon(name: string): void {
    suspended.delete(name)
    logger.warn('another process leads', { unit: name })
    void next(name, (unit) => unit.abandon())
  }

  function onView(found: LeaseView): void {
    view = found
    viewAt = clock.now()
    if (fault) logger.info('the leases can be renewed again')
    fault = undefined
    for (const [name, { epoch }] of suspended) {
      const lease = found.leases.find(({ pool }) => pool === name)
      // Anything but our own last term: somebody else has led it.
      if (lease && !isSameEpoch(lease.epoch, epoch)) abandon(name)
    }
    options.onView?.(found)
  }

  const leadership: Leadership = createLeadership({
    ...options,
    store: leases,
    self,
    lead,
    leave(name) {
      const held = led.get(name)
      if (held) held.isEnding = true
      return next(name, async (unit) => {
        await unit.leave()
        // Meanwhile the lease may have been over, and taken again.
        for (const terms of [led, suspended]) if (terms.get(name) === held) terms.delete(name)
        logger.info('left to another process', { unit: name })
      })
    },
    onLost,
    onView,
    onError(error) {
      const found = problemFrom(error)
      if (found.message !== fault?.message)
        logger.error('the leases cannot be renewed', { code: found.code, error })
      fault = found
    },
  })

  return {
    async start() {
      await leadership.start()
      await Promise.all(steps.values())
      if (failure !== undefined && others().length === 0) throw failure
    },
    async stop() {
      if (isStopping) return
      isStopping = true
      const left = [...suspended.keys()]
      suspended.clear()
      await Promise.all(left.map((name) => next(name, (unit) => unit.leave())))
      await leadership.stop()
      await Promise.all(steps.values())
    },
    leaderOf(name) {
      const held = led.get(name)
      if (held?.term.isCurrent()) return leaderBy(options.self(), held.epoch.number, true)
      // While the store does not answer, the leases of others end, too.
      const lease = view?.leases.find(({ pool, left }) => pool === name && left > clock.now() - viewAt)
      const holder = lease && others().find(({ id }) => id === lease.holder)
      return holder && leaderBy(holder, lease.epoch.number, false)
    },
    epochOf(name) {
      const held = led.get(name)
      return held?.term.isCurrent() ? held.epoch : undefined
    },
    others,
    problems: () => [...(fault ? [fault] : []), ...differing(options.self(), others())],
    fault: () => fault,
  }
}

function problemFrom(error: unknown): Problem {
  if (error instanceof ProvisionError && error.problems[0]) return error.problems[0]
  return problem('INTERNAL', `leases: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  })
}

/** While a configuration is rolled out, hosts have different ones; each pool is led only by hosts that have it. */
function differing(self: Omit<Candidate, 'pools'>, others: readonly Candidate[]): Problem[] {
  return others
    .filter(({ configuration }) => configuration !== self.configuration)
    .map(({ host, pid }) =>
      problem(
        'CONFIG_DIFFERS',
        `the provisioner on ${host} (process ${pid}) runs with another configuration than this one on ${self.host}`,
        { details: { host, pid } },
      ),
    )
}
