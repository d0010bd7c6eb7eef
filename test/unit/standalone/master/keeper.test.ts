import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type JournalFile, openJournal } from '../../../../src/platform/journal.ts'
import type { Allocation } from '../../../../src/standalone/master/allocation.ts'
import {
  createStateStore,
  journalKind,
  openStateStore,
  replay,
  type StateRecord,
  type StateStore,
  snapshot,
} from '../../../../src/standalone/master/state-store.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { until } from '../../../support/server.ts'
import { silentLogger } from '../../../support/silent-logger.ts'

let folder: string
let file: string
let clock: FakeClock
let open: StateStore[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keeper-'))
  file = join(folder, 'state', 'journal')
  clock = new FakeClock()
  open = []
})
afterEach(async () => {
  for (const keeper of open) await keeper.close().catch(() => {})
  rmSync(folder, { recursive: true, force: true })
})

async function opened(): Promise<StateStore> {
  const keeper = await openStateStore({ file, clock, logger: silentLogger })
  open.push(keeper)
  return keeper
}

const work = (id: string, state = 'pending'): StateRecord => {
  return { at: 1, kind: 'allocation', allocation: { id, state, containers: [] } as unknown as Allocation }
}
const ids = (keeper: StateStore) =>
  [...keeper.found.allocations.values()].map(({ id, state }) => `${id} ${state}`)

it('the last record of each thing counts', async () => {
  const keeper = await opened()
  await keeper.keep(work('a'))
  await keeper.keep(work('b'))
  await keeper.keep(work('a', 'running'))
  await keeper.keep(work('c'))
  await keeper.keep({ at: 1, kind: 'allocation_forgotten', id: 'c' })
  await keeper.close()
  expect(ids(await opened())).toEqual(['a running', 'b pending'])
})

it('a snapshot says the same as the records it is made from', () => {
  const records = [work('a'), work('b'), work('a', 'running'), { at: 2, kind: 'of the future' } as never]
  const state = replay(records)
  expect(replay(snapshot(state, 5))).toEqual(state)
})

it('the file does not grow for ever', async () => {
  const keeper = await opened()
  for (let i = 0; i < 2500; i++) void keeper.keep(work('a', `state-${i}`))
  await keeper.keep(work('a', 'last'))
  await until(() => readFileSync(file, 'utf8').split('\n').length < 100, 'the compaction')
  await keeper.keep(work('b'))
  await keeper.close()
  expect(ids(await opened())).toEqual(['a last', 'b pending'])
})

describe('while the disk fails', () => {
  async function onBadDisk() {
    const real = await openJournal({ file, kind: journalKind, now: 0 })
    const disk = { broken: false, rewrites: 0 }
    const check = () => (disk.broken ? Promise.reject(new Error('ENOSPC: no space left')) : Promise.resolve())
    const journal: JournalFile = {
      append: (record) => check().then(() => real.journal.append(record)),
      rewrite: (records) => {
        disk.rewrites++
        return check().then(() => real.journal.rewrite(records))
      },
      read: real.journal.read,
      appended: 0,
      close: real.journal.close,
    }
    const keeper = createStateStore({ file, clock, logger: silentLogger }, { ...real, journal })
    open.push(keeper)
    return { keeper, disk }
  }

  it('keeping waits, and says why, until everything can be written', async () => {
    const { keeper, disk } = await onBadDisk()
    let mended = 0
    keeper.onMended(() => mended++)
    await keeper.keep(work('before'))
    disk.broken = true
    const kept = [keeper.keep(work('during-1')), keeper.keep(work('during-2'))]
    await until(() => keeper.fault())
    expect(keeper.fault()).toMatchObject({
      code: 'JOURNAL_UNUSABLE',
      message: `${file}: ENOSPC: no space left`,
    })
    kept.push(keeper.keep(work('during-3')))
    await clock.advance(60_000)
    expect([mended, disk.rewrites]).toEqual([0, 13])
    disk.broken = false
    await clock.advance(5000)
    expect(await Promise.all(kept)).toEqual([true, true, true])
    expect([keeper.fault(), mended]).toEqual([undefined, 1])
    await keeper.keep(work('after'))
    await keeper.close()
    expect(ids(await opened())).toEqual(
      ['before', 'during-1', 'during-2', 'during-3', 'after'].map((id) => `${id} pending`),
    )
  })

  it('what comes while everything is written anew is written, too', async () => {
    const { keeper, disk } = await onBadDisk()
    disk.broken = true
    const first = keeper.keep(work('first'))
    await until(() => keeper.fault())
    disk.broken = false
    // The sleeper wakes and begins to write; the record comes while it does.
    const late = clock.advance(5000).then(() => keeper.keep(work('late')))
    expect(await first).toBe(true)
    expect(await late).toBe(true)
    await keeper.close()
    expect(ids(await opened())).toEqual(['first pending', 'late pending'])
  })

  it('and the master is closed, nothing is said to be kept', async () => {
    const { keeper, disk } = await onBadDisk()
    disk.broken = true
    const kept = keeper.keep(work('never'))
    await until(() => keeper.fault())
    void keeper.close()
    expect(await kept).toBe(false)
  })
})

describe('a file', () => {
  const of = async (clusterId?: string) => {
    const keeper = await openStateStore({ file, clusterId, clock, logger: silentLogger })
    open.push(keeper)
    return keeper
  }

  it('of another cluster is set aside, and says whose it is', async () => {
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

  it('of an older version, without a cluster, is taken over and marked', async () => {
    const old = await of()
    await old.keep(work('a'))
    await old.close()
    const ours = await of('ours')
    expect([ids(ours), ours.stateLost]).toEqual([['a pending'], false])
    await ours.close()
    expect((await of('theirs')).stateLost).toBe(true)
  })

  it.each(['', 'garbage\n'])('that is missing or reads %j means that the state was lost', async (text) => {
    expect((await of('ours')).stateLost).toBe(true)
    await open.pop()!.close()
    writeFileSync(file, text)
    expect((await of('ours')).stateLost).toBe(true)
  })
})
