// Journals under leases, as a provisioner opens them; of a store without leases, without.
import { randomUUID } from 'node:crypto'
import { thisProcess } from '../../src/platform/locks.ts'
import type { Candidate, Epoch } from '../../src/state/leases/port.ts'
import type { OutputStore } from '../../src/state/output.ts'
import {
  type JournalName,
  type JournalOptions,
  leaseOfPool,
  type OpenedJournal,
  type StateStore,
} from '../../src/state/store.ts'

/** In this process, unless `more` has another one. */
export function candidate(id: string, more: Partial<Candidate> = {}): Candidate {
  const about = {
    since: 0,
    version: '1',
    configuration: 'a',
    pools: [],
    pinned: [],
    configured: [],
    wants: 'share',
  } as const
  return { ...thisProcess(), ...about, id, ...more }
}

/** Options of a journal that is written under the lease of its own name. */
export function underEpoch(options: JournalOptions, epoch: Epoch): JournalOptions {
  return { ...options, lease: { name: leaseOf(options.name), epoch: () => epoch } }
}

export interface UnderLeases {
  /** Takes the lease of the journal, if this one has not. Throws when another has it. */
  open(options: JournalOptions): Promise<OpenedJournal>
  /** The same with the lease of the master's journal. */
  openOutput(): Promise<OutputStore>
  /** Releases everything. */
  end(): Promise<void>
}

export function leaseOf(name: JournalName): string {
  return name === 'master' ? '@master' : leaseOfPool(name.pool)
}

/** Longer than any test. */
const ttl = 600_000

/** Of a store that this process has alone. */
export function unleased({ openJournal, openOutput }: StateStore): UnderLeases {
  return { open: openJournal, openOutput: async () => openOutput({}), end: async () => {} }
}

export function underLeases(store: StateStore): UnderLeases {
  const { leases, openJournal, openOutput } = store
  if (!leases) return unleased(store)
  const self = candidate(randomUUID())
  const epochs = new Map<string, Epoch>()

  async function take(lease: string): Promise<Epoch> {
    await leases!.renew(self, epochs, ttl)
    const epoch = await leases!.take(lease, self.id, ttl)
    if (!epoch) throw new Error(`the lease ${lease} is held by another`)
    epochs.set(lease, epoch)
    return epoch
  }

  return {
    async open(options) {
      const name = leaseOf(options.name)
      const epoch = epochs.get(name) ?? (await take(name))
      return openJournal(underEpoch(options, epoch))
    },
    async openOutput() {
      const name = leaseOf('master')
      const epoch = epochs.get(name) ?? (await take(name))
      return openOutput({ lease: { name, epoch: () => epoch } })
    },
    async end() {
      for (const [lease, epoch] of epochs) await leases.release(lease, epoch)
      await leases.leave(self.id)
    },
  }
}
