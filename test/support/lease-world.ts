// Several provisioners that lead pools on one store, on a clock that the test moves.
import { createLeadership, type Leadership } from '../../src/state/leases/leadership.ts'
import { type MemoryLeases, memoryLeases } from '../../src/state/leases/memory-leases.ts'
import type { Candidate, Epoch, LeaseStore } from '../../src/state/leases/port.ts'
import { FakeClock } from './fake-clock.ts'

export interface Process {
  readonly id: string
  readonly leadership: Leadership
  candidate: Candidate
  /** Milliseconds that the store takes to answer it; Infinity: it never does. */
  answersIn: number
  /** Milliseconds that a take needs in addition. */
  takesIn: number
  alive: boolean
  /** Pools whose loop runs here. */
  readonly leads: Map<string, Epoch>
  /** Milliseconds that ending a pool takes. */
  endsIn: number
  /** Pools that it was told to end, in order. */
  readonly ended: string[]
  kill(): void
}

export interface LeaseWorld {
  readonly clock: FakeClock
  readonly store: MemoryLeases
  readonly processes: Process[]
  start(id: string, more?: Partial<Candidate>): Process
  /** Moves the clock in small steps; throws as soon as two lead one pool. */
  pass(ms: number): Promise<void>
  /** Ids of those that lead the pool now. */
  leaders(pool: string): string[]
  /** How many pools each living process leads. */
  counts(): Record<string, number>
}

const step = 100

export function leaseWorld(pools: readonly string[], random: () => number = () => 0.5): LeaseWorld {
  const clock = new FakeClock()
  const store = memoryLeases(() => clock.now())
  const processes: Process[] = []

  function start(id: string, more: Partial<Candidate> = {}): Process {
    // Its time of day differs from that of the store.
    const offset = (processes.length - 1) * 300_000
    const own = { now: () => clock.now() + offset, sleep: clock.sleep.bind(clock) }
    const leads = new Map<string, Epoch>()
    const process = { host: id, pid: 1, start: undefined, boot: undefined, pidNamespace: undefined }
    const about = { ...process, since: own.now(), version: '1', configuration: 'a' }
    const self: Process = {
      id,
      leads,
      candidate: { id, ...about, pools, pinned: [], configured: pools, wants: 'share', ...more },
      answersIn: 0,
      takesIn: 0,
      endsIn: 0,
      ended: [],
      alive: true,
      leadership: createLeadership({
        store: reached(store, () => self, clock),
        self: () => self.candidate,
        clock: own,
        random,
        lead: (pool, epoch) => leads.set(pool, epoch),
        async leave(pool) {
          self.ended.push(pool)
          await clock.sleep(self.endsIn)
          leads.delete(pool)
        },
        onLost: (pool) => leads.delete(pool),
        onError: () => {},
      }),
      kill() {
        self.alive = false
        self.answersIn = Number.POSITIVE_INFINITY
      },
    }
    processes.push(self)
    void self.leadership.start().catch(() => {})
    return self
  }

  const leaders = (pool: string) =>
    processes
      .filter(({ alive, leadership }) => alive && leadership.epochOf(pool) !== undefined)
      .map(({ id }) => id)

  return {
    clock,
    store,
    processes,
    start,
    leaders,
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += step) {
        await clock.advance(Math.min(step, ms - passed))
        for (const pool of pools) {
          const found = leaders(pool)
          if (found.length > 1) throw new Error(`${found.join(' and ')} lead ${pool}`)
          for (const { leads, leadership, alive, id } of processes)
            if (alive && leads.has(pool) && !leadership.epochOf(pool))
              throw new Error(`${id} works on ${pool} after its lease`)
        }
      }
    },
    counts: () =>
      Object.fromEntries(
        processes
          .filter(({ alive }) => alive)
          .map(({ id, leadership }) => [id, pools.filter((pool) => leadership.epochOf(pool)).length]),
      ),
  }
}

/**
 * The request has its effect at once, and the answer comes late. Where it never comes, only the first request still has one:
 * nothing reaches a database through a connection on which no answers come.
 */
function reached(store: LeaseStore, process: () => Process, clock: FakeClock): LeaseStore {
  let wasCut = false
  async function through<T>(call: () => Promise<T>): Promise<T> {
    const { answersIn } = process()
    if (answersIn === Number.POSITIVE_INFINITY) {
      if (process().alive && !wasCut) await call()
      wasCut = true
      return new Promise(() => {})
    }
    wasCut = false
    const answer = await call()
    if (answersIn > 0) await clock.sleep(answersIn)
    return answer
  }
  return {
    renew: (...args) => through(() => store.renew(...args)),
    async take(...args) {
      const epoch = await through(() => store.take(...args))
      await clock.sleep(process().takesIn)
      return epoch
    },
    release: (...args) => through(() => store.release(...args)),
    leave: (...args) => through(() => store.leave(...args)),
  }
}
