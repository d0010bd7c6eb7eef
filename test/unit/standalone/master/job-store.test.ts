import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Problem, problem } from '../../../../src/problems/index.ts'
import type { Allocation } from '../../../../src/standalone/master/allocation.ts'
import {
  createJobStore,
  type JobStore,
  journalKind,
  openJobStore,
  replay,
  type StateRecord,
  snapshot,
} from '../../../../src/standalone/master/job-store.ts'
import { openJournalFile } from '../../../../src/state/folder/journal-file.ts'
import type { StoredJournal } from '../../../../src/state/store.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { until } from '../../../support/server.ts'
import { silentLogger } from '../../../support/silent-logger.ts'
import { storeIn } from '../../../support/state-store.ts'

let folder: string
let file: string
let clock: FakeClock
let open: JobStore[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'state-store-'))
  file = join(folder, 'master.journal')
  clock = new FakeClock()
  open = []
})
afterEach(async () => {
  for (const store of open) await store.close().catch(() => {})
  rmSync(folder, { recursive: true, force: true })
})

async function opened(): Promise<JobStore> {
  const store = await openJobStore({ store: storeIn(folder, clock), clock, logger: silentLogger })
  open.push(store)
  return store
}

const work = (id: string, state = 'pending'): StateRecord => {
  return { at: 1, kind: 'allocation', allocation: { id, state, containers: [] } as unknown as Allocation }
}
const ids = (store: JobStore) =>
  [...store.found.allocations.values()].map(({ id, state }) => `${id} ${state}`)

it('the last record of each agent and allocation is the current one', async () => {
  const store = await opened()
  await store.keep(work('a'))
  await store.keep(work('b'))
  await store.keep(work('a', 'running'))
  await store.keep(work('c'))
  await store.keep({ at: 1, kind: 'allocation_forgotten', id: 'c' })
  await store.close()
  expect(ids(await opened())).toEqual(['a running', 'b pending'])
})

it('a snapshot has the same state as its records', () => {
  const records = [work('a'), work('b'), work('a', 'running'), { at: 2, kind: 'of the future' } as never]
  const state = replay(records)
  expect(replay(snapshot(state, 5))).toEqual(state)
})

it('the file does not grow without limit', async () => {
  const store = await opened()
  for (let i = 0; i < 2500; i++) void store.keep(work('a', `state-${i}`))
  await store.keep(work('a', 'last'))
  await until(() => readFileSync(file, 'utf8').split('\n').length < 100, 'the compaction')
  await store.keep(work('b'))
  await store.close()
  expect(ids(await opened())).toEqual(['a last', 'b pending'])
})

describe('while the disk fails', () => {
  async function onBadDisk() {
    const real = await openJournalFile({ file, kind: journalKind, now: 0 })
    const disk = { broken: false, rewrites: 0 }
    const check = () => (disk.broken ? Promise.reject(new Error('ENOSPC: no space left')) : Promise.resolve())
    const journal: StoredJournal = {
      place: file,
      append: (record) => check().then(() => real.journal.append(record)),
      rewrite: (records) => {
        disk.rewrites++
        return check().then(() => real.journal.rewrite(records))
      },
      read: real.journal.read,
      appended: 0,
      setAside: real.journal.setAside,
      close: real.journal.close,
    }
    const store = createJobStore({ clock, logger: silentLogger }, { ...real, journal })
    open.push(store)
    return { store, disk }
  }

  it('writing waits, and reports the reason, until everything can be written', async () => {
    const { store, disk } = await onBadDisk()
    let mended = 0
    store.onMended(() => mended++)
    await store.keep(work('before'))
    disk.broken = true
    const kept = [store.keep(work('during-1')), store.keep(work('during-2'))]
    await until(() => store.fault())
    expect(store.fault()).toMatchObject({
      code: 'JOURNAL_UNUSABLE',
      message: `${file}: ENOSPC: no space left`,
    })
    kept.push(store.keep(work('during-3')))
    await clock.advance(60_000)
    expect([mended, disk.rewrites]).toEqual([0, 31])
    disk.broken = false
    await clock.advance(5000)
    expect(await Promise.all(kept)).toEqual([true, true, true])
    expect([store.fault(), mended]).toEqual([undefined, 1])
    await store.keep(work('after'))
    await store.close()
    expect(ids(await opened())).toEqual(
      ['before', 'during-1', 'during-2', 'during-3', 'after'].map((id) => `${id} pending`),
    )
  })

  it('a record added during a rewrite is written, too', async () => {
    const { store, disk } = await onBadDisk()
    disk.broken = true
    const first = store.keep(work('first'))
    await until(() => store.fault())
    disk.broken = false
    // The sleep ends and the rewrite starts; the record is added during it.
    const late = clock.advance(5000).then(() => store.keep(work('late')))
    expect(await first).toBe(true)
    expect(await late).toBe(true)
    await store.close()
    expect(ids(await opened())).toEqual(['first pending', 'late pending'])
  })

  it('nothing is confirmed when the master is closed', async () => {
    const { store, disk } = await onBadDisk()
    disk.broken = true
    const kept = store.keep(work('never'))
    await until(() => store.fault())
    void store.close()
    expect(await kept).toBe(false)
  })
})

describe('a file', () => {
  const of = async (clusterId?: string) => {
    const store = await openJobStore({
      store: storeIn(folder, clock),
      clusterId,
      clock,
      logger: silentLogger,
    })
    open.push(store)
    return store
  }

  it('of another cluster is set aside, and the problem names that cluster', async () => {
    const theirs = await of('theirs')
    await theirs.keep(work('a'))
    await theirs.close()
    const ours = await of('ours')
    expect(ids(ours)).toEqual([])
    expect(ours.stateLost).toBe(true)
    expect(ours.problems).toMatchObject([{ code: 'JOURNAL_SET_ASIDE' }])
    expect(ours.problems[0]!.message).toMatch(
      /belongs to cluster theirs, but this is cluster ours; .*journal\.foreign-/,
    )
    await ours.keep(work('b'))
    await ours.close()
    const again = await of('ours')
    expect([ids(again), again.stateLost, again.problems]).toEqual([['b pending'], false, []])
  })

  it('of an older version, without a cluster, is used and gets the cluster id', async () => {
    const old = await of()
    await old.keep(work('a'))
    await old.close()
    const ours = await of('ours')
    expect([ids(ours), ours.stateLost]).toEqual([['a pending'], false])
    await ours.close()
    expect((await of('theirs')).stateLost).toBe(true)
  })

  it.each(['', 'garbage\n'])('that is missing or contains %j means that the state was lost', async (text) => {
    expect((await of('ours')).stateLost).toBe(true)
    await open.pop()!.close()
    writeFileSync(file, text)
    expect((await of('ours')).stateLost).toBe(true)
  })
})

describe('a journal that may lack records', () => {
  async function withJournal(problems: Problem[] = []) {
    const of = storeIn(folder, clock)
    const { journal, records } = await of.openJournal({ name: 'master', kind: journalKind })
    let doubt = () => {}
    const doubting: StoredJournal = { ...journal, onDoubt: (listener) => (doubt = listener) }
    const store = createJobStore(
      { clock, logger: silentLogger },
      { journal: doubting, records, problems, isNew: false },
    )
    open.push(store)
    return { store, journal, doubt: () => doubt() }
  }

  it('is rewritten at once by a master that was there all the time', async () => {
    const { store, journal, doubt } = await withJournal()
    await store.keep(work('a'))
    await journal.rewrite([])
    doubt()
    await expect.poll(() => journal.read()).toMatchObject([{ kind: 'allocation', allocation: { id: 'a' } }])
  })

  it('counts as lost at each start until agents have had time to return', async () => {
    const found = problem('STATE_COMMITS_LOST', 'a standby was promoted')
    const { store, journal } = await withJournal([found])
    expect(store.stateLost).toBe(true)
    for (const id of ['a', 'b', 'a']) await store.keep(work(id))
    await clock.advance(599_000)
    expect(await journal.read()).toHaveLength(3)
    await clock.advance(1_000)
    await expect.poll(async () => (await journal.read()).length).toBe(2)
  })
})
