// The requirements for every store of the state, written once and run on each of them: see src/state/store.ts.
import { afterEach, beforeEach, describe, expect } from 'vitest'
import type { JournalRecord } from '../../src/platform/ports.ts'
import { ProvisionError } from '../../src/problems/index.ts'
import type { OutputStore } from '../../src/state/output.ts'
import type {
  HoldOptions,
  IdentityPart,
  JournalOptions,
  OpenedJournal,
  StateStore,
} from '../../src/state/store.ts'
import { clausesFor, eventually } from '../../src/testing/clauses.ts'
import { type UnderLeases, underLeases, unleased } from '../support/under-leases.ts'
import { describeStateCluster } from './state-cluster.ts'
import { describeStateFailures } from './state-failures.ts'
import { describeStateGenerations } from './state-generations.ts'
import type { StateHarness, StateSubject } from './state-harness.ts'
import { describeStateJoin } from './state-join.ts'
import { describeStateOutput } from './state-output.ts'
import { numbers, record, upTo } from './state-records.ts'

const test1 = { name: { pool: 'gpu' }, kind: 'test 1' } satisfies JournalOptions
/** A process with the state: what it opens is closed again. */
export interface Life {
  store: StateStore
  /** Under its lease, where the store has leases and is shared. */
  journal(options?: Partial<JournalOptions>): Promise<OpenedJournal>
  /** The same. */
  output(): Promise<OutputStore>
  end(): Promise<void>
}

type Manner = Pick<HoldOptions, 'alone'>

async function begin(harness: StateHarness, manner: Manner = {}): Promise<Life> {
  const store = await harness.open()
  const release = await held(store, { ...manner, onLost() {} }, harness.freeAfter ?? 0)
  const under: UnderLeases = manner.alone ? unleased(store) : underLeases(store)
  const open: OpenedJournal[] = []
  let ended: Promise<void> | undefined
  async function end(): Promise<void> {
    for (const { journal } of open) await journal.close().catch(() => {})
    await under.end()
    await release()
    await store.close()
  }
  return {
    store,
    async journal(options) {
      const opened = await under.open({ ...test1, ...options })
      open.push(opened)
      return opened
    },
    output: under.openOutput,
    end: () => (ended ??= end()),
  }
}

/** A killed process may keep the state for so many milliseconds. */
async function held(store: StateStore, options: HoldOptions, within: number): ReturnType<StateStore['hold']> {
  const end = performance.now() + within
  for (;;)
    try {
      return await store.hold(options)
    } catch (error) {
      if (!(error instanceof ProvisionError) || error.code !== 'LOCK_HELD' || performance.now() > end)
        throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
}

export function describeStateContract(name: string, subject: StateSubject): void {
  let harness: StateHarness
  let life: Life

  async function restart(manner?: Manner): Promise<Life> {
    await life.end()
    life = await begin(harness, manner)
    return life
  }

  describe(`the state contract on ${name}`, () => {
    const clause = clausesFor(name, subject.can)

    beforeEach(async () => {
      harness = await subject.open()
      life = await begin(harness)
    })
    afterEach(async () => {
      await life.end().catch(() => {})
      await harness.dispose()
    })

    describe('a journal', () => {
      clause('keeps what was appended, in order, for the next start', [], async () => {
        const first = await life.journal()
        expect([first.records, first.problems, first.isNew]).toEqual([[], [], true])
        await Promise.all(upTo(300).map((n) => first.journal.append(record(n))))
        expect(first.journal.appended).toBe(300)
        await restart()
        const next = await life.journal()
        expect(numbers(next.records)).toEqual(upTo(300))
        expect([next.problems, next.isNew]).toEqual([[], false])
      })

      clause('keeps every value of JSON exactly', [], async () => {
        const odd = {
          text: 'line\n"ü" \u0000 \ud800 \u2028 😀 \\u0000 %s $1 {} \'',
          numbers: [1e300, -0.1, 2 ** 53, 1e-7],
          nothing: null,
          deep: { list: [[], {}, ''], 'a key\n': true },
        }
        const { journal } = await life.journal()
        await journal.append(record(1, odd))
        await journal.rewrite([record(2, odd), record(3)])
        await journal.append(record(4, odd))
        await restart()
        const { records } = await life.journal()
        expect(records).toEqual([record(2, odd), record(3), record(4, odd)])
        expect(Object.keys(records[0]!)).toEqual(Object.keys(record(2, odd)))
      })

      clause('can be read while it is written', [], async () => {
        const { journal } = await life.journal()
        await journal.append(record(1))
        void journal.append(record(2))
        expect(numbers(await journal.read())).toEqual([1, 2])
      })

      clause('is rewritten completely, and continues', [], async () => {
        const { journal } = await life.journal()
        await Promise.all(upTo(50).map((n) => journal.append(record(n))))
        await journal.rewrite([record(7)])
        expect(journal.appended).toBe(0)
        await journal.append(record(8))
        expect(journal.appended).toBe(1)
        await journal.rewrite([])
        await journal.append(record(9))
        await restart()
        expect(numbers((await life.journal()).records)).toEqual([9])
      })

      clause('loses no record that is appended during a rewrite', [], async () => {
        const { journal } = await life.journal()
        for (let round = 0; round < 10; round++) {
          const before = upTo(5, round * 100).map((n) => journal.append(record(n)))
          const rewritten = journal.rewrite([record(round)])
          const after = upTo(5, round * 100 + 50).map((n) => journal.append(record(n)))
          await Promise.all([...before, rewritten, ...after])
          expect(numbers(await journal.read())).toEqual([round, ...upTo(5, round * 100 + 50)])
        }
      })

      clause('does not grow when it is rewritten from time to time', [], async () => {
        const { journal } = await life.journal()
        const round = async (n: number) => {
          await Promise.all(upTo(200).map((each) => journal.append(record(n * 1000 + each))))
          await journal.rewrite([record(n)])
        }
        await round(0)
        const first = await harness.size()
        for (let n = 1; n < 12; n++) await round(n)
        expect(await harness.size()).toBeLessThanOrEqual(first + 16)
      })

      clause('is one of each pool, and one of the master', [], async () => {
        const names = [{ pool: 'gpu' }, { pool: 'GPU' }, { pool: '../gpu "ü" %' }, 'master'] as const
        for (const [n, name] of names.entries())
          await (await life.journal({ name })).journal.append(record(n))
        await restart()
        for (const [n, name] of names.entries())
          expect(numbers((await life.journal({ name })).records)).toEqual([n])
      })

      clause('that is closed takes nothing more', [], async () => {
        const { journal } = await life.journal()
        const last = journal.append(record(1))
        const closing = journal.close()
        const late = Promise.allSettled([journal.append(record(2)), journal.rewrite([record(3)])])
        await Promise.all([last, closing])
        expect((await late).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
        expect(numbers((await life.journal()).records)).toEqual([1])
      })

      clause('is listed with its kind and its owner while it is in use', [], async () => {
        const owner = { cluster: 'prod', pool: 'a/b "ü"', writer: 'w' }
        const mine = { kind: 'test 1', owner: { cluster: 'prod', writer: 'w' } }
        expect(await life.store.journals()).toEqual([])
        await life.journal({ name: 'master', ...mine })
        const { journal } = await life.journal({ name: { pool: owner.pool }, owner })
        await life.journal({ name: { pool: 'plain' }, kind: 'test 2' })
        await journal.setAside()
        expect((await life.store.journals()).sort((a, b) => (a.kind < b.kind ? -1 : 1))).toEqual(
          expect.arrayContaining([
            { name: 'master', ...mine },
            { name: { pool: owner.pool }, kind: 'test 1', owner },
            { name: { pool: 'plain' }, kind: 'test 2' },
          ]),
        )
        expect(await life.store.journals()).toHaveLength(3)
      })

      clause('that is set aside starts anew, and is not lost', [], async () => {
        const { journal } = await life.journal()
        await journal.append(record(1))
        const aside = await journal.setAside()
        expect(aside).not.toBe(journal.place)
        await journal.append(record(2))
        expect(numbers(await journal.read())).toEqual([2])
        await restart()
        expect(numbers((await life.journal()).records)).toEqual([2])
      })

      clause('of another kind is set aside, and that is reported with both places', [], async () => {
        const { journal } = await life.journal({ kind: 'test 0' })
        await journal.append(record(1))
        await restart()
        const opened = await life.journal()
        expect(opened.records).toEqual([])
        expect(opened.problems).toMatchObject([{ code: 'JOURNAL_SET_ASIDE', severity: 'warning' }])
        expect(opened.problems[0]!.message).toContain(opened.journal.place)
        expect(opened.problems[0]!.message).toMatch(/\.foreign-/)
        await opened.journal.append(record(2))
        await restart()
        expect((await life.journal()).problems).toEqual([])
      })
    })

    describe('the owner of a journal', () => {
      const us = { cluster: 'prod', pool: 'gpu * "ü"', writer: 'w-1' }

      clause('is kept by rewrites, and accepted', [], async () => {
        const { journal } = await life.journal({ owner: us })
        await journal.rewrite([record(1)])
        await restart()
        expect(numbers((await life.journal({ owner: us })).records)).toEqual([1])
        expect((await life.store.identity.traces()).flatMap(({ owner }) => owner ?? [])).toEqual([us])
        expect(await life.store.identity.pools()).toEqual([us.pool])
      })

      clause('that is another is refused, and nothing is changed', [], async () => {
        for (const other of [
          { ...us, cluster: 'test' },
          { ...us, pool: 'cpu' },
          { cluster: 'prod', writer: 'w-1' },
          { ...us, writer: 'w-2' },
        ]) {
          const { journal } = await life.journal({ owner: other, name: { pool: JSON.stringify(other) } })
          await journal.append(record(1))
          const mine = life.journal({ owner: us, name: { pool: JSON.stringify(other) } })
          const refusal = await mine.catch((thrown) => thrown)
          expect(refusal.code).toBe('STATE_FOREIGN')
          expect(refusal.message).toContain(`${journal.place} belongs to cluster ${other.cluster}`)
          expect(refusal.message).toContain('this is cluster prod, pool gpu')
          expect(numbers(await journal.read())).toEqual([1])
        }
      })

      clause('is added by the next rewrite to a journal without one', [], async () => {
        await (await life.journal()).journal.append(record(1))
        await restart()
        const { journal, records } = await life.journal({ owner: us })
        expect(numbers(records)).toEqual([1])
        await journal.rewrite([record(2)])
        await restart()
        const refusal = await life.journal({ owner: { ...us, writer: 'w-2' } }).catch((thrown) => thrown)
        expect(refusal.code).toBe('STATE_FOREIGN')
      })
    })

    describe('the identity', () => {
      const parts: IdentityPart[] = ['cluster-id', 'writer-id', 'incarnations']

      clause('is nothing at first, and then what was written', [], async () => {
        const { identity } = (await restart({ alone: true })).store
        expect(await Promise.all(parts.map(identity.read))).toEqual([undefined, undefined, undefined])
        expect([await identity.isNew(), await identity.traces()]).toEqual([true, []])
        expect(await identity.isYoung()).toBe(false)
        for (const part of parts) await identity.write(part, `value of ${part}`)
        // What is copied here was made before.
        expect(await identity.isYoung()).toBe(false)
        await identity.write('incarnations', 'one\ntwo')
        await restart()
        const next = life.store.identity
        expect((await next.read('cluster-id'))?.trim()).toBe('value of cluster-id')
        expect((await next.read('incarnations'))?.trim()).toBe('one\ntwo')
        expect(await next.isNew()).toBe(false)
        const places = (await next.traces()).map(({ place }) => place)
        expect(places).toEqual([next.placeOf('writer-id'), next.placeOf('incarnations')])
      })

      clause('can be read by a command while the state is held', [], async () => {
        await life.store.identity.settle('cluster-id', 'prod')
        const reader = await harness.open()
        expect((await reader.identity.read('cluster-id'))?.trim()).toBe('prod')
        await reader.close()
      })

      clause('is settled once: the first value stays', [], async () => {
        for (const manner of [{}, { alone: true }]) {
          const { identity } = (await restart(manner)).store
          for (const value of ['first', 'second'])
            expect((await identity.settle('cluster-id', value)).trim()).toBe('first')
          expect((await identity.read('cluster-id'))?.trim()).toBe('first')
        }
      })

      clause('is young while others may be in their first start, too', [], async () => {
        const { identity } = life.store
        expect(await identity.isYoung()).toBe(false)
        await identity.settle('writer-id', 'w')
        await identity.addIncarnation('a', 3)
        expect([await identity.isNew(), await identity.isYoung()]).toEqual([false, identity.isShared])
        await harness.grow?.(6)
        expect(await identity.isYoung()).toBe(false)
      })

      clause('has a line for each start, of which the newest stay', [], async () => {
        expect(await life.store.identity.addIncarnation('a', 3)).toEqual(['a'])
        expect(await life.store.identity.addIncarnation('b', 3)).toEqual(['a', 'b'])
        const { identity } = (await restart({ alone: true })).store
        await identity.write('incarnations', 'b\nc\n')
        expect(await identity.addIncarnation('d', 3)).toEqual(['b', 'c', 'd'])
        expect(await identity.addIncarnation('e', 3)).toEqual(['c', 'd', 'e'])
        await restart()
        expect((await life.store.identity.read('incarnations'))?.trim()).toBe('c\nd\ne')
      })

      clause('that was damaged is shown as it is, and stays so', [], async () => {
        for (const part of parts) await life.store.identity.settle(part, 'whole')
        for (const text of ['', ' \n', 'Not An Id\n# edited\n']) {
          await harness.damage('writer-id', text)
          await restart()
          expect(await life.store.identity.read('writer-id')).toBe(text)
        }
      })
    })

    describe('decisions', () => {
      const decided = (at: number, pool = 'gpu') => ({ at, kind: 'decided', pool })
      const faults: unknown[] = []

      async function add(records: JournalRecord[]): Promise<void> {
        const log = life.store.openDecisions({ onFault: (error) => faults.push(error) })
        for (const each of records) log.add(each)
        await log.close()
      }
      const found = async (query: object) => numbers(await life.store.readDecisions(query))

      clause('are found by pool, by time, and the newest few, oldest first', [], async () => {
        await add([decided(1), decided(2, 'cpu'), decided(3)])
        await restart()
        await add([decided(4)])
        expect(await found({})).toEqual([1, 2, 3, 4])
        expect(await found({ pool: 'gpu', since: 2 })).toEqual([3, 4])
        expect(await found({ limit: 2 })).toEqual([3, 4])
        expect(await found({ pool: 'none' })).toEqual([])
        expect(await found({ since: 1.5, limit: 0 })).toEqual([])
        expect(faults).toEqual([])
      })

      clause('are kept whole, but for secrets', [], async () => {
        await add([{ ...decided(1), password: 'hunter2', ids: ['a', 'ü\u0000'] }])
        const [kept] = await life.store.readDecisions({})
        expect(kept).toMatchObject({ at: 1, kind: 'decided', pool: 'gpu', ids: ['a', 'ü\u0000'] })
        expect(JSON.stringify(kept)).not.toContain('hunter2')
      })

      clause('are none where nothing was ever decided', [], async () => {
        const reader = await harness.open()
        expect(await reader.readDecisions({})).toEqual([])
        await reader.close()
      })

      clause('can be read by a command while others are added', [], async () => {
        const log = life.store.openDecisions({ onFault: (error) => faults.push(error) })
        for (const n of upTo(100)) log.add(decided(n))
        const reader = await harness.open()
        await eventually(async () => numbers(await reader.readDecisions({}))).toEqual(upTo(100))
        await reader.close()
        await log.close()
      })
    })

    const here = { harness: () => harness, life: () => life, restart }
    describeStateJoin(clause, here)
    describeStateGenerations(clause, here)
    describeStateCluster(clause, here)
    describeStateOutput(clause, here)
    describeStateFailures(clause, here)
  })
}
