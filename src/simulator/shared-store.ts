// The store that several provisioners of a world share, as each of them reaches it: journals whose writes carry the epoch
// and leases, behind a network that fails, pauses and slows down.
import type { Journal, JournalRecord } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import type { Epoch, LeaseStore } from '../state/index.ts'
import type { Disk } from './disk.ts'
import type { FaultSchedule } from './faults.ts'
import type { Random } from './random.ts'
import type { TimedFaultKind } from './scenario.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** Passes a request to the store, now or later; throws when there is no answer. */
export type Link = <T>(request: () => Promise<T>) => Promise<T>

interface LinkOptions {
  clock: VirtualClock
  faults: FaultSchedule
  draw: Random
  /** Number of the host, from 0, and how many there are. */
  index: number
  hosts: number
}

const storeFaults: readonly TimedFaultKind[] = ['store_down', 'store_paused', 'store_slow']
/** Milliseconds until a connection without an answer is given up. */
const givenUp = 5_000
/** Milliseconds, at most, of each way of a slow request. */
const slowest = 3_000

/** What is wrong with the way of this host to the store: a fault affects all hosts or one. */
export function storeFault({ faults, index, hosts }: Pick<LinkOptions, 'faults' | 'index' | 'hosts'>) {
  for (const kind of storeFaults) {
    const fault = faults.now(kind)
    if (fault && (fault.draw < 0.5 || Math.floor(fault.draw * 1000) % hosts === index)) return fault
  }
  return undefined
}

export function createLink(options: LinkOptions): Link {
  const { clock, draw } = options
  return async (request) => {
    const fault = storeFault(options)
    if (!fault) {
      if (draw.chance(10)) await clock.sleep(draw.whole(1, 20))
      return request()
    }
    switch (fault.kind) {
      case 'store_paused':
        await clock.sleep(fault.to - clock.now() + draw.whole(1, 500))
        return request()
      case 'store_slow': {
        await clock.sleep(draw.whole(100, slowest))
        const answer = await request()
        await clock.sleep(draw.whole(100, slowest))
        return answer
      }
      default:
        // The answer to a commit may be what is lost.
        if (draw.chance(30)) await request().catch(() => {})
        await clock.sleep(draw.chance(50) ? 1 : givenUp)
        throw new ProvisionError(problem('STATE_UNREACHABLE', 'the store of the simulation does not answer'))
    }
  }
}

export function reachedLeases(leases: LeaseStore, link: Link): LeaseStore {
  return {
    renew: (self, held, ttl) => link(() => leases.renew(self, new Map(held), ttl)),
    take: (pool, holder, ttl) => link(() => leases.take(pool, holder, ttl)),
    release: (pool, epoch) => link(() => leases.release(pool, epoch)),
    leave: (id) => link(() => leases.leave(id)),
  }
}

export interface SharedJournalOptions {
  disk: Disk
  link: Link
  /** In which this process leads at this moment. */
  epoch: () => Epoch | undefined
  /** Whether it is the newest one of the pool. */
  isNewest: (epoch: Epoch) => boolean
  /** Called at each write that is accepted. */
  onAccepted: (epoch: Epoch) => void
  /** It is complete again. */
  onRewritten: () => void
}

/** A journal as one leader has it: a write is refused in the moment in which it would take effect. */
export function sharedJournal(options: SharedJournalOptions): Journal {
  const { disk, link, epoch, isNewest, onAccepted, onRewritten } = options
  const refused = () => new ProvisionError(problem('STATE_RIGHT_LOST', 'the epoch is not the newest one'))
  async function write(change: () => Promise<void>): Promise<void> {
    const written = epoch()
    if (!written) throw refused()
    await link(async () => {
      if (!isNewest(written)) throw refused()
      onAccepted(written)
      await change()
    })
  }
  return {
    read: () => link(() => disk.read()),
    append(record) {
      // As it is now: it may be written much later.
      const copy = structuredClone(record) as JournalRecord
      return write(() => disk.append(copy))
    },
    rewrite(records) {
      const copies = structuredClone(records) as JournalRecord[]
      return write(async () => {
        await disk.rewrite(copies)
        onRewritten()
      })
    },
  }
}
