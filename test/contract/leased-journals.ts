// The lease contract, second part: what is written under leases, and the state that one process has alone.
import { once } from 'node:events'
import { describe, expect } from 'vitest'
import type { Epoch, LeaseStore } from '../../src/state/leases/port.ts'
import {
  type JournalOptions,
  leaseOfPool,
  type StateStore,
  type StoredJournal,
} from '../../src/state/store.ts'
import { type Clause, eventually } from '../../src/testing/clauses.ts'
import { startChild } from '../support/start-child.ts'
import { candidate, underEpoch } from '../support/under-leases.ts'
import type { LeaseAbility, LeaseHarness } from './lease-harness.ts'
import { numbers, record, upTo } from './state-records.ts'

const ttl = 60_000
const none = new Map<string, Epoch>()
const test1 = (pool: string) => ({ name: { pool }, kind: 'test 1' }) satisfies JournalOptions

interface Shared {
  store: StateStore
  leases: LeaseStore
  release: () => void | Promise<void>
}

interface Led {
  epoch: Epoch
  journal: StoredJournal
  numbers: number[]
}

export function describeLeasedJournals(clause: Clause<LeaseAbility>, harness: () => LeaseHarness): void {
  const open = () => harness().open!()

  async function share(): Promise<Shared> {
    const store = await open()
    const release = await store.hold({ onLost() {} })
    return { store, leases: store.leases!, release }
  }

  async function lead({ store, leases }: Shared, pool = 'gpu'): Promise<Led> {
    const epoch = await leases.take(leaseOfPool(pool), 'somebody', ttl)
    if (!epoch) throw new Error(`${pool} was not free`)
    const { journal, records } = await store.openJournal(underEpoch(test1(pool), epoch))
    return { epoch, journal, numbers: numbers(records) }
  }

  /** The other statement has begun, and is slowed down. */
  const pause = () => new Promise((resolve) => setTimeout(resolve, 200))
  const refusal = (attempt: Promise<unknown>) =>
    attempt.then(
      () => 'done',
      (error) => error.code ?? error.message,
    )
  const messageOf = (attempt: Promise<unknown>) =>
    attempt.then(
      () => 'done',
      (error) => String(error.message),
    )

  /** Every way to write with this lease. */
  async function refusals({ store }: Shared, { journal, epoch }: Led, pool = 'gpu'): Promise<string[]> {
    return [
      await refusal(journal.append(record(100))),
      await refusal(journal.rewrite([record(101)])),
      await refusal(journal.setAside()),
      await refusal(store.openJournal(underEpoch(test1(pool), epoch))),
      await refusal(store.openJournal(underEpoch({ ...test1(pool), kind: 'test 2' }, epoch))),
    ]
  }
  const allLost = Array.from({ length: 5 }, () => 'STATE_RIGHT_LOST')

  describe('a journal under a lease', () => {
    clause('needs one, and that of its own pool', ['journals'], async () => {
      const here = await share()
      expect(await refusal(here.store.openJournal(test1('gpu')))).toBe('STATE_RIGHT_LOST')
      const { epoch } = await lead(here)
      expect(await refusal(here.store.openJournal(underEpoch(test1('cpu'), epoch)))).toBe('STATE_RIGHT_LOST')
      expect(await refusal(here.store.openJournal(underEpoch({ name: 'master', kind: 'm' }, epoch)))).toBe(
        'STATE_RIGHT_LOST',
      )
      const other = { ...epoch, nonce: '00000000-0000-4000-8000-000000000000' }
      expect(await refusal(here.store.openJournal(underEpoch(test1('gpu'), other)))).toBe('STATE_RIGHT_LOST')
      expect(numbers((await here.store.openJournal(underEpoch(test1('gpu'), epoch))).records)).toEqual([])
    })

    clause(
      'continues with the next leader; the one before can write nothing more',
      ['journals'],
      async () => {
        const [here, there] = [await share(), await share()]
        const old = await lead(here)
        await old.journal.append(record(1))
        await harness().pass(ttl + 1)
        const next = await lead(there)
        expect(next.numbers).toEqual([1])
        await next.journal.append(record(2))
        expect(await refusals(here, old)).toEqual(allLost)
        expect(old.journal.fault?.()).toMatchObject({ code: 'STATE_RIGHT_LOST' })
        expect(numbers(await next.journal.read())).toEqual([1, 2])
        await next.journal.rewrite([record(3)])
        expect(numbers(await next.journal.read())).toEqual([3])
        expect(next.journal.fault?.()).toBeUndefined()
      },
    )

    clause('of which the lease was released can be written no more', ['journals'], async () => {
      const here = await share()
      const old = await lead(here)
      await old.journal.append(record(1))
      await here.leases.release('gpu', old.epoch)
      expect(await refusals(here, old)).toEqual(allLost)
      expect((await lead(here)).numbers).toEqual([1])
    })

    clause(
      'fails alone when its lease is lost: others of the same moment are written',
      ['journals'],
      async () => {
        const [here, there] = [await share(), await share()]
        const lost = await lead(here, 'lost')
        await harness().pass(ttl + 1)
        const kept = [await lead(here, 'a'), await lead(here, 'z'), await lead(here, '@master')]
        await lead(there, 'lost')
        const all = upTo(20).flatMap((n) => [
          ...kept.map(({ journal }) => journal.append(record(n))),
          refusal(lost.journal.append(record(n))),
        ])
        const results = await Promise.all(all)
        expect(results.filter((result) => result !== undefined)).toEqual(
          upTo(20).map(() => 'STATE_RIGHT_LOST'),
        )
        for (const { journal } of kept) expect(numbers(await journal.read())).toEqual(upTo(20))
      },
    )

    clause(
      'has every record that was confirmed before the take, and none afterwards',
      ['sessions'],
      async () => {
        const [here, there] = [await share(), await share()]
        for (let round = 0; round < 10; round++) {
          const pool = `pool ${round}`
          const old = await lead(here, pool)
          const confirmed: number[] = []
          const results: string[] = []
          const writing = (async () => {
            for (let n = 0; results.length === 0; n++)
              await Promise.all(
                [n, n + 0.5].map((at) =>
                  old.journal.append(record(at)).then(
                    () => confirmed.push(at),
                    (error) => results.push(error.code),
                  ),
                ),
              )
          })()
          await eventually(() => confirmed.length).toBeGreaterThan(5 * round)
          await harness().pass(ttl + 1)
          const next = await lead(there, pool)
          await writing
          expect(new Set(results)).toEqual(new Set(['STATE_RIGHT_LOST']))
          expect(next.numbers).toEqual(expect.arrayContaining(confirmed))
          expect(numbers(await next.journal.read())).toEqual(next.numbers)
        }
      },
    )
  })

  /** Each way to write while another takes the lease, in a statement that the server has begun. */
  const writes: [string, (journal: StoredJournal) => Promise<unknown>][] = [
    ['an append', (journal) => journal.append(record(2))],
    ['a rewrite', (journal) => journal.rewrite([record(1), record(2)])],
  ]
  describe.each(writes)('%s', (_, write) => {
    clause('that has begun is done before a take or a release is', ['sessions'], async () => {
      const [here, there] = [await share(), await share()]
      await harness().slow!('journal_records', 500)
      for (const [pool, isReleased] of [
        ['a', true],
        ['b', false],
      ] as const) {
        const old = await lead(there, pool)
        await old.journal.append(record(1))
        const writing = write(old.journal)
        await pause()
        if (isReleased) await there.leases.release(pool, old.epoch)
        else await harness().pass(ttl + 1)
        expect((await lead(here, pool)).numbers).toEqual([1, 2])
        await writing
      }
    })
  })

  describe('the identity of several hosts', () => {
    clause('is the same for all that start at once, and has a line of each', ['journals'], async () => {
      const hosts = await Promise.all(upTo(4).map(() => share()))
      for (const part of ['cluster-id', 'writer-id'] as const) {
        const settled = await Promise.all(
          hosts.map(({ store }, n) => store.identity.settle(part, `of host ${n}`)),
        )
        expect(new Set(settled).size).toBe(1)
        expect(await hosts[0]!.store.identity.read(part)).toBe(settled[0])
      }
      const lines = await Promise.all(
        hosts.flatMap(({ store }, host) =>
          upTo(5).map((n) => store.identity.addIncarnation(`${host}-${n}`, 100)),
        ),
      )
      const all = hosts.flatMap((_, host) => upTo(5).map((n) => `${host}-${n}`))
      const longest = lines.find(({ length }) => length === 20)
      expect([...longest!].sort()).toEqual(all)
    })
  })

  describe('a process that has the state alone', () => {
    const alone = (store: StateStore) => store.hold({ onLost() {}, alone: true })

    clause('is refused while others work with it, and told who', ['journals'], async () => {
      const [here, store] = [await share(), await open()]
      const self = candidate('one', { host: 'host-1', pid: 77, boot: 'another boot' })
      await here.leases.renew(self, none, ttl)
      const who = /^LOCK_HELD: process 77 on host-1 works with /
      expect(await messageOf(alone(store))).toMatch(who)
      const epoch = (await here.leases.take('gpu', 'one', ttl))!
      await here.leases.renew(self, new Map([['gpu', epoch]]), ttl)
      await here.leases.leave('one')
      expect(await messageOf(alone(store))).toMatch(/^LOCK_HELD: provisioner one works with /)
      await here.leases.release('gpu', epoch)
      await (await alone(store))()
    })

    clause('has it once they are over; then they can write nothing', ['journals'], async () => {
      const [here, store] = [await share(), await open()]
      await here.leases.renew(candidate('one'), none, ttl)
      const led = await lead(here)
      await led.journal.append(record(1))
      await harness().pass(ttl + 1)
      const release = await alone(store)
      expect(await refusals(here, led)).toEqual(allLost)
      const { records, journal } = await store.openJournal(test1('gpu'))
      expect(numbers(records)).toEqual([1])
      await journal.append(record(2))
      await journal.close()
      await release()
      const next = await lead(here)
      expect(next.numbers).toEqual([1, 2])
      expect(next.epoch.number).toBeGreaterThan(led.epoch.number)
      expect(await refusals(here, led)).toEqual(allLost)
    })

    clause('is not disturbed: no lease, no announcement, no identity', ['journals'], async () => {
      const [here, store] = [await share(), await open()]
      const release = await alone(store)
      const who = new RegExp(`^LOCK_HELD: process ${process.pid} on \\S+ holds `)
      const other = await open()
      expect(await messageOf(other.hold({ onLost() {} }))).toMatch(who)
      expect(await messageOf(alone(other))).toMatch(who)
      expect(await here.leases.take('gpu', 'one', ttl)).toBeUndefined()
      const view = await here.leases.renew(candidate('one'), none, ttl)
      expect(view).toEqual({ candidates: [], leases: [] })
      expect(await messageOf(here.store.identity.settle('writer-id', 'w'))).toMatch(who)
      expect(await messageOf(here.store.identity.addIncarnation('a', 10))).toMatch(who)
      expect(await store.identity.settle('writer-id', 'mine')).toBe('mine')
      await release()
      expect(await here.store.identity.settle('writer-id', 'w')).toBe('mine')
      expect(await here.leases.take('gpu', 'one', ttl)).toBeDefined()
    })

    clause('never has it beside one that takes a lease at that moment', ['sessions'], async () => {
      const [here, store] = [await share(), await open()]
      await harness().slow!('leases', 500)
      const taking = here.leases.take('first', 'one', ttl)
      await pause()
      expect(await messageOf(alone(store))).toMatch(/^LOCK_HELD: provisioner one works with /)
      await here.leases.release('first', (await taking)!)
      const holding = alone(store)
      await pause()
      expect(await here.leases.take('second', 'one', ttl)).toBeUndefined()
      await (await holding)()
    })

    clause('never has it beside one that announces itself at that moment', ['sessions'], async () => {
      const [here, store] = [await share(), await open()]
      await harness().slow!('leases', 500)
      const holding = alone(store)
      await pause()
      expect((await here.leases.renew(candidate('one'), none, ttl)).candidates).toEqual([])
      await (await holding)()
    })

    clause('reads all of the identity that others have begun to write', ['sessions'], async () => {
      const [here, store] = [await share(), await open()]
      await harness().slow!('identity', 500)
      const settling = here.store.identity.settle('cluster-id', 'prod')
      await pause()
      const release = await alone(store)
      expect(await store.identity.read('cluster-id')).toBe('prod')
      await settling
      await release()
    })
  })

  describe('another process', () => {
    clause('that is killed leaves its pools at once to the next on its machine', ['processes'], async () => {
      const here = await share()
      const child = startChild('append', harness().settings!())
      await eventually(() => child.lines().length).toBeGreaterThan(3)
      expect(await here.leases.take('gpu', 'one', ttl)).toBeUndefined()
      await child.kill()
      const confirmed = child.lines().length
      const { numbers: found } = await lead(here)
      expect([confirmed, confirmed + 1]).toContain(found.length)
    })

    clause('that was suspended and has lost its lease writes nothing more', ['processes'], async () => {
      const here = await share()
      const child = startChild('append', harness().settings!())
      await eventually(() => child.lines().length).toBeGreaterThan(3)
      child.process.kill('SIGSTOP')
      await harness().pass(600_001)
      const next = await lead(here)
      await next.journal.append(record(-1))
      child.process.kill('SIGCONT')
      await once(child.process, 'exit')
      expect(child.lines().join('\n')).toContain('STATE_RIGHT_LOST')
      expect(numbers(await next.journal.read())).toEqual([...next.numbers, -1])
    })

    clause('and a second one that start for the first time agree who they are', ['processes'], async () => {
      const settings = upTo(3).map(() => harness().settings!())
      const children = settings.map((each) => startChild('start', each))
      await Promise.all(children.map(({ process }) => once(process, 'exit')))
      const identities = children.map((child) => JSON.parse(child.lines().at(-1)!))
      expect(new Set(identities.map(({ clusterId }) => clusterId)).size).toBe(1)
      expect(new Set(identities.map(({ provisionerId }) => provisionerId)).size).toBe(1)
      expect(new Set(identities.map(({ writerId }) => writerId)).size).toBe(3)
      const store = await open()
      expect((await store.identity.read('incarnations'))?.split('\n').sort()).toEqual(
        identities.map(({ writerId }) => writerId.split('-').at(-1)).sort(),
      )
    })
  })
}
