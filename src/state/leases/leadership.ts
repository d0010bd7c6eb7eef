// Leads pools as long as their leases last. The lease in the store decides; this process
// counts its own time, from before it asked, and stops earlier than the store's time is over.
import { type Clock, withDeadline } from '../../platform/index.ts'
import { chooseLeases } from './choice.ts'
import { type Candidate, type Epoch, isSameEpoch, type LeaseStore, type LeaseView } from './port.ts'

/** Milliseconds. */
export interface LeaseTimes {
  /** How long a lease lasts after it was renewed. */
  ttl: number
  /** A leader stops so much earlier by its own clock than the store would: clocks run unequally, and steps take time. */
  margin: number
  /** From one renewal to the next. */
  period: number
  /** From pools that are left to other provisioners to the next ones. */
  moveEvery: number
}

/** The pools of a killed leader are free after 6.5 to 8 s, and taken at the next renewal of another one. */
export const leaseTimes: LeaseTimes = { ttl: 8_000, margin: 2_000, period: 1_500, moveEvery: 10_000 }

/** Milliseconds until the next attempt when the store did not answer, and from one view to the next at least. */
const retryAfter = 500
/** Milliseconds after the end of another's lease: the next view shows that it is over. */
const afterEnd = 50

export interface LeadershipOptions {
  store: LeaseStore
  /** As it is now: a reload changes its pools. */
  self: () => Candidate
  clock: Clock
  /** From 0 to below 1. */
  random: () => number
  times?: LeaseTimes
  /** Begins to lead the pool. */
  lead: (pool: string, epoch: Epoch) => void
  /** Ends what is under way for the pool; the lease is kept until it resolves, and then given up. */
  leave: (pool: string) => Promise<void>
  /** The lease is over: from now on nothing may be done for the pool, not even ended. */
  onLost: (pool: string, epoch: Epoch) => void
  /** Each view that was read. */
  onView?: (view: LeaseView) => void
  onError: (error: unknown) => void
}

export interface Leadership {
  /** Resolves after the first round: what was free is led. Rejects when the store does not answer it. */
  start(): Promise<void>
  /** The epoch in which this process may act for the pool at this moment; undefined: it must not. Ask right before acting. */
  epochOf(pool: string): Epoch | undefined
  /** Leaves one pool. What `self` still names is taken again. */
  giveUp(pool: string): Promise<void>
  /** Leaves all pools, and announces that it is gone. */
  stop(): Promise<void>
}

interface Held {
  epoch: Epoch
  /** By the clock of this process. */
  until: number
  leaving?: Promise<void>
}

export function createLeadership(options: LeadershipOptions): Leadership {
  const { store, clock, random, onError } = options
  const times = options.times ?? leaseTimes
  const held = new Map<string, Held>()
  const stopping = new AbortController()
  const over = new AbortController()
  let freeBefore: ReadonlySet<string> = new Set()
  let movedAt = Number.NEGATIVE_INFINITY
  let isStarted = false
  let taking: Promise<void> | undefined
  /** Of the last round; undefined when that failed. */
  let last: { view: LeaseView; sentAt: number } | undefined
  let loop: Promise<void> = Promise.resolve()

  /** From the time of sending: nobody knows when the store began to count. */
  const deadline = (sentAt: number) => sentAt + times.ttl - times.margin

  /** A lease whose renewal is answered later is over anyway. */
  const asked = <T>(what: string, call: () => Promise<T>) =>
    withDeadline(clock, times.ttl - times.margin, what, call)

  function lose(pool: string, lease: Held): void {
    if (held.get(pool) !== lease) return
    held.delete(pool)
    options.onLost(pool, lease.epoch)
  }

  /** Ends the lease in time, whatever the renewal is waiting for. */
  async function guard(pool: string, lease: Held): Promise<void> {
    while (held.get(pool) === lease) {
      const left = lease.until - clock.now()
      if (left <= 0) lose(pool, lease)
      else await clock.sleep(left, over.signal).catch(() => {})
      if (over.signal.aborted) return
    }
  }

  async function renew(): Promise<{ view: LeaseView; self: Candidate }> {
    // One that leaves takes nothing any more.
    const self = stopping.signal.aborted ? { ...options.self(), pools: [] } : options.self()
    const before = new Map(held)
    const sentAt = clock.now()
    const epochs = new Map([...before].map(([pool, { epoch }]) => [pool, epoch]))
    const view = await asked('a renewal of leases', () => store.renew(self, epochs, times.ttl))
    for (const [pool, lease] of before) {
      if (!isRenewed(view, self, pool, lease.epoch)) lose(pool, lease)
      else if (held.get(pool) === lease) lease.until = Math.max(lease.until, deadline(sentAt))
    }
    options.onView?.(view)
    return { view, self }
  }

  /** Renewals do not wait for what it begins: a slow store would leave too little of the leases. */
  function act(view: LeaseView, self: Candidate): void {
    const { take, free, giveUp, move } = chooseLeases(view, self, held.keys(), freeBefore)
    freeBefore = new Set(free)
    for (const pool of giveUp) void giveAway(pool)
    if (move.length > 0 && clock.now() - movedAt >= times.moveEvery) {
      movedAt = clock.now()
      for (const pool of move) void giveAway(pool)
    }
    begin(take, self)
  }

  /** What is over since the last view is taken without another one: the store knows whether it was renewed since. */
  function takeEnded(): void {
    if (!last || stopping.signal.aborted) return
    const self = options.self()
    const { view, sentAt } = last
    const passed = clock.now() - sentAt
    const later = <T extends { left: number }>(all: readonly T[]): T[] =>
      all.map((one) => ({ ...one, left: one.left - passed }))
    const leases = later(view.leases)
    const ended = leases.filter(({ left, holder }) => left <= 0 && left + passed > 0 && holder !== self.id)
    if (ended.length === 0) return
    const { take } = chooseLeases({ leases, candidates: later(view.candidates) }, self, held.keys())
    begin(
      take.filter((pool) => ended.some((lease) => lease.pool === pool)),
      self,
    )
  }

  function begin(take: readonly string[], self: Candidate): void {
    // Those of the last view are still being taken: this view may show them as free.
    if (taking || take.length === 0) return
    taking = Promise.all(take.map((pool) => takeOne(pool, self.id))).then(() => {})
    const done = () => {
      taking = undefined
    }
    taking.then(done, done)
    // Before, `start` passes it on.
    if (isStarted) taking.catch(onError)
  }

  async function takeOne(pool: string, holder: string): Promise<void> {
    const sentAt = clock.now()
    const epoch = await asked('a lease', () => store.take(pool, holder, times.ttl))
    const lease = epoch && { epoch, until: deadline(sentAt) }
    if (!lease || lease.until <= clock.now()) return
    held.set(pool, lease)
    void guard(pool, lease)
    options.lead(pool, lease.epoch)
  }

  function giveAway(pool: string): Promise<void> {
    const lease = held.get(pool)
    if (!lease) return Promise.resolve()
    lease.leaving ??= endOf(pool, lease).catch(onError)
    return lease.leaving
  }

  async function endOf(pool: string, lease: Held): Promise<void> {
    await options.leave(pool)
    if (held.get(pool) !== lease) return
    held.delete(pool)
    await asked('the end of a lease', () => store.release(pool, lease.epoch))
  }

  /** Resolves with the milliseconds until a lease or announcement of another is over, as the view shows it. */
  async function round(): Promise<number> {
    const sentAt = clock.now()
    takeEnded()
    last = undefined
    const { view, self } = await renew()
    last = { view, sentAt }
    act(view, self)
    const times = [
      ...view.leases.filter(({ holder }) => holder !== self.id),
      ...view.candidates.filter(({ id }) => id !== self.id),
    ].map(({ left }) => left)
    return Math.min(...times.filter((left) => left > 0))
  }

  async function run(first: number): Promise<void> {
    await clock.sleep(first, stopping.signal).catch(() => {})
    while (!stopping.signal.aborted) {
      const sentAt = clock.now()
      let next = times.period * (0.9 + 0.2 * random())
      try {
        // Counted from the request: a slow store would leave too little of the lease.
        const over = await round()
        next = Math.min(next, Math.max(over + afterEnd, retryAfter)) - (clock.now() - sentAt)
      } catch (error) {
        onError(error)
        next = retryAfter
      }
      await clock.sleep(Math.max(0, next), stopping.signal).catch(() => {})
    }
  }

  /** Renews while the pools end. */
  async function keepUntil(done: Promise<unknown>): Promise<void> {
    let isDone = false
    const finished = done.then(() => {
      isDone = true
    })
    while (!isDone) {
      await Promise.race([finished, clock.sleep(times.period, over.signal).catch(() => {})])
      if (!isDone) await renew().catch(onError)
    }
  }

  return {
    async start() {
      // Nothing moves at first: a first start has to write its journals, or the next leader takes them for lost.
      const from = clock.now()
      movedAt = from + times.moveEvery
      await round()
      await taking
      isStarted = true
      loop = run(Math.max(0, times.period - (clock.now() - from)))
    },
    giveUp: giveAway,
    epochOf(pool) {
      const lease = held.get(pool)
      return lease && clock.now() < lease.until ? lease.epoch : undefined
    },
    async stop() {
      stopping.abort()
      await loop
      await taking?.catch(() => {})
      await keepUntil(Promise.all([...held.keys()].map(giveAway)))
      over.abort()
      await asked('leaving', () => store.leave(options.self().id)).catch(onError)
    },
  }
}

function isRenewed({ leases }: LeaseView, { id }: Candidate, pool: string, epoch: Epoch): boolean {
  return leases.some(
    (lease) =>
      lease.pool === pool && lease.holder === id && lease.left > 0 && isSameEpoch(lease.epoch, epoch),
  )
}
