// A database that went back to an earlier moment: how that is noticed, and who knows it until listings have shown what exists.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PGlite } from '@electric-sql/pglite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import type { Problem } from '../../../src/problems/index.ts'
import type { Database } from '../../../src/state/postgres/database.ts'
import {
  type Lineage,
  lineageFile,
  positionOf,
  positionText,
  signOfLostCommits,
} from '../../../src/state/postgres/lineage.ts'
import { quoted } from '../../../src/state/postgres/migrations.ts'
import { postgresStore } from '../../../src/state/postgres/postgres-store.ts'
import type { StateStore } from '../../../src/state/store.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { databaseOn, openSession } from '../../support/pglite-database.ts'
import { silentLogger } from '../../support/silent-logger.ts'

describe('commits may be lost', () => {
  const before: Lineage = { system: '77', timeline: 3, wal: 1_000n, beats: 5 }
  it.each([
    ['in the next moment', { wal: 1_001n, beats: 6 }, undefined],
    ['where nothing else has written', { beats: 6 }, undefined],
    ['on another server', { system: '78', beats: 6 }, 'system'],
    ['on another server with a longer log', { system: '78', timeline: 4, wal: 9_000n, beats: 9 }, 'system'],
    ['after a promotion', { timeline: 4, wal: 2_000n, beats: 6 }, 'timeline'],
    ['on a timeline before', { timeline: 2, wal: 2_000n, beats: 6 }, 'timeline'],
    ['with a shorter log', { wal: 999n, beats: 6 }, 'wal'],
    ['without our last write', { wal: 2_000n, beats: 5 }, 'beats'],
    ['without any write of ours', { wal: 2_000n, beats: 0 }, 'beats'],
    [
      'where nothing is shown',
      { system: undefined, timeline: undefined, wal: undefined, beats: 6 },
      undefined,
    ],
    [
      'where nothing is shown, without our last write',
      { system: undefined, timeline: undefined, wal: undefined, beats: 5 },
      'beats',
    ],
  ])('%s', (_, now, sign) => {
    expect(signOfLostCommits(before, { ...before, ...now } as Lineage)).toBe(sign)
  })

  it('compares positions as numbers, not as text', () => {
    expect(positionOf('10/0')).toBeGreaterThan(positionOf('9/FFFFFFFF'))
    expect(positionOf('0/10000000')).toBeGreaterThan(positionOf('0/FFFFFFF'))
    for (const text of ['0/0', '16/B374D848', 'FFFFFFFF/FFFFFFFF'])
      expect(positionText(positionOf(text))).toBe(text)
  })
})

describe('a store', () => {
  let session: PGlite
  let database: Database
  let schema: string
  let folder: string
  let count = 0
  const open: (() => Promise<void>)[] = []
  beforeAll(async () => {
    session = await openSession()
  })
  afterAll(() => session.close())
  beforeEach(() => {
    database = databaseOn(session)
    schema = `lineage ${++count}`
    folder = mkdtempSync(join(tmpdir(), 'lineage-'))
  })
  afterEach(async () => {
    for (const close of open.splice(0)) await close()
    rmSync(folder, { recursive: true })
  })

  const tables = () => quoted(schema)
  const sql = (text: string) => database.query(text)
  const file = () => join(folder, 'lineage.json')
  const change = (part: object) =>
    writeFileSync(file(), JSON.stringify({ ...JSON.parse(readFileSync(file(), 'utf8')), ...part }))

  async function begin({
    clock = systemClock,
    logger = silentLogger,
    hasFile = true,
    on = database,
  } = {}): Promise<{ store: StateStore; end: () => Promise<void>; losses: Problem[] }> {
    const store = postgresStore({
      ...{ database: on, schema, program: 'test', clock, logger },
      ...(hasFile && { lineageFile: lineageFile(file(), logger) }),
    })
    const losses: Problem[] = []
    const release = await store.hold({
      alone: true,
      onLost() {},
      onCommitsLost: (found) => losses.push(found),
    })
    let ended: Promise<void> | undefined
    const end = () => (ended ??= Promise.resolve(release()))
    open.push(end)
    return { store, end, losses }
  }

  const journalOf = (store: StateStore, pool = 'gpu') => store.openJournal({ name: { pool }, kind: 'test 1' })
  const codes = (problems: Problem[]) => problems.map(({ code }) => code)
  const record = (at: number) => ({ at, kind: 'test' })

  it('notices nothing while nothing is lost, and keeps what it saw in a file of its own', async () => {
    for (let start = 0; start < 3; start++) {
      const { store, end, losses } = await begin()
      const { journal, problems } = await journalOf(store)
      await journal.append(record(start))
      expect([losses, problems]).toEqual([[], []])
      await end()
    }
    const seen = JSON.parse(readFileSync(file(), 'utf8'))
    expect(seen).toEqual({
      host: expect.stringMatching(/^[0-9a-f-]{36}$/),
      system: expect.stringMatching(/^\d+$/),
      timeline: 1,
      wal: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
      beats: 3,
    })
    expect(statSync(file()).mode & 0o777).toBe(0o600)
  })

  it.each([
    ['another server', { system: '1' }, /another server \(system identifier \d+, before 1\)/],
    ['another timeline', { timeline: 9 }, /timeline 1, before 9/],
    ['a longer log before', { wal: 'FFFF/0' }, /went back from FFFF\/0 to /],
    ['a write of this host that is missing', { beats: 500 }, /the last write of this host is missing/],
  ])('that finds %s at its start says so for each journal, until that is rewritten', async (_, part, why) => {
    const first = await begin()
    const before = await journalOf(first.store)
    await before.journal.append(record(1))
    await first.end()
    change(part)
    const second = await begin()
    expect(codes(second.losses)).toEqual(['STATE_COMMITS_LOST'])
    expect(second.losses[0]!.message).toMatch(why)
    const opened = await journalOf(second.store)
    expect([codes(opened.problems), opened.records]).toEqual([['STATE_COMMITS_LOST'], [record(1)]])
    await opened.journal.append(record(2))
    await second.end()
    // The process ended before listings had shown what exists; the file knows the database again.
    const third = await begin()
    expect(third.losses).toEqual([])
    const again = await journalOf(third.store)
    expect(codes(again.problems)).toEqual(['STATE_COMMITS_LOST'])
    await again.journal.rewrite([record(3)])
    await third.end()
    const last = await begin()
    expect((await journalOf(last.store)).problems).toEqual([])
  })

  it('keeps a loss that it could not write down before a crash', async () => {
    await (await begin()).end()
    await sql(`UPDATE ${tables()}.lineage_beats SET beats = beats - 1`)
    const failing: Database = {
      ...database,
      transaction: (work) =>
        database.transaction(async (query) =>
          work((text, values) =>
            text.includes('l.losses + 1') ? Promise.reject(new Error('killed')) : query(text, values),
          ),
        ),
    }
    await expect(begin({ on: failing })).rejects.toThrow('killed')
    expect(codes((await begin()).losses)).toEqual(['STATE_COMMITS_LOST'])
  })

  it('notices in the rows of journals what another host has not seen: a promotion, and a restored dump', async () => {
    const first = await begin({ hasFile: false })
    for (const pool of ['a', 'b']) await (await journalOf(first.store, pool)).journal.append(record(1))
    await first.end()
    const problemsOf = async () => {
      const { store, end } = await begin({ hasFile: false })
      const found = await Promise.all(
        ['a', 'b'].map(async (pool) => codes((await journalOf(store, pool)).problems)),
      )
      await end()
      return found
    }
    expect(await problemsOf()).toEqual([[], []])
    await sql(
      `UPDATE ${tables()}.journal_lineages SET timeline = 9, stamp = txid_current() WHERE journal = 1`,
    )
    expect(await problemsOf()).toEqual([['STATE_COMMITS_LOST'], []])
    // A dump contains the values of columns, but not the transaction that wrote them.
    await sql(`CREATE TEMP TABLE dump AS SELECT * FROM ${tables()}.journal_lineages`)
    await sql(`DELETE FROM ${tables()}.journal_lineages`)
    await sql(`INSERT INTO ${tables()}.journal_lineages SELECT * FROM dump`)
    await sql('DROP TABLE dump')
    expect(await problemsOf()).toEqual([['STATE_COMMITS_LOST'], ['STATE_COMMITS_LOST']])
  })

  it('notices it with a renewal: who wrote a journal must rewrite it, and who opens it next knows', async () => {
    const [clock, logger] = [new FakeClock(), capturingLogger()]
    const { store, losses } = await begin({ clock, logger })
    const { journal } = await journalOf(store)
    let doubts = 0
    journal.onDoubt?.(() => doubts++)
    await journal.append(record(1))
    await clock.advance(3_000)
    expect([losses, doubts, journal.fault?.()]).toEqual([[], 0, undefined])
    await sql(`UPDATE ${tables()}.lineage_beats SET beats = 0`)
    const passing = async () => {
      await clock.advance(1_000)
      return codes(losses)
    }
    await expect.poll(passing).toEqual(['STATE_COMMITS_LOST'])
    expect(logger.lines.filter((line) => line.includes('has lost commits'))).toHaveLength(1)
    expect(doubts).toBe(1)
    expect(journal.fault?.()).toMatchObject({ code: 'STATE_COMMITS_LOST' })
    await expect(journal.append(record(2))).rejects.toThrow('STATE_COMMITS_LOST')
    // It writes all that it knows; but another process may have written meanwhile what is lost.
    await journal.rewrite([record(1), record(2)])
    await journal.append(record(3))
    expect(journal.fault?.()).toBeUndefined()
    await journal.close()
    const again = await journalOf(store)
    expect([codes(again.problems), again.records]).toEqual([['STATE_COMMITS_LOST'], [1, 2, 3].map(record)])
    await again.journal.rewrite(again.records)
    expect((await journalOf(store)).problems).toEqual([])
    await clock.advance(30_000)
    expect(losses).toHaveLength(1)
  })

  it('that two hosts notice is settled once', async () => {
    const one = await begin({ hasFile: false })
    await (await journalOf(one.store)).journal.append(record(1))
    await one.end()
    // The files of two hosts that had seen the database before it was promoted.
    const files = [1, 2].map(
      (n) => `{"host": "${crypto.randomUUID()}", "timeline": 9, "beats": 0, "wal": "0/${n}"}`,
    )
    writeFileSync(file(), files[0]!)
    const first = await begin()
    const { journal, problems } = await journalOf(first.store)
    expect(codes(problems)).toEqual(['STATE_COMMITS_LOST'])
    await first.end()
    writeFileSync(file(), files[1]!)
    const second = await begin()
    expect(codes(second.losses)).toEqual(['STATE_COMMITS_LOST'])
    await second.end()
    const third = await begin()
    const again = await journalOf(third.store)
    expect(codes(again.problems)).toEqual(['STATE_COMMITS_LOST'])
    await again.journal.rewrite([record(2)])
    expect((await journalOf(third.store)).problems).toEqual([])
    await journal.close()
    await third.end()
    // Whoever comes later with what it knew long before may be right: the database may have gone back once more.
    writeFileSync(file(), files[1]!.replace('"beats": 0', '"beats": 90'))
    const late = await begin()
    expect(codes((await journalOf(late.store)).problems)).toEqual(['STATE_COMMITS_LOST'])
  })

  it('works where a service forbids the functions, with its own writes alone', async () => {
    const query: Database['query'] = (text, values) =>
      /pg_control_system|pg_current_wal|pg_walfile/.test(text)
        ? Promise.reject(Object.assign(new Error('not supported'), { code: '0A000' }))
        : database.query(text, values)
    const on: Database = { ...database, query, urgent: query }
    const first = await begin({ on })
    await journalOf(first.store)
    await first.end()
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({ host: expect.any(String), beats: 1 })
    await sql(`DELETE FROM ${tables()}.lineage_beats`)
    const second = await begin({ on })
    expect(codes(second.losses)).toEqual(['STATE_COMMITS_LOST'])
    expect(codes((await journalOf(second.store)).problems)).toEqual(['STATE_COMMITS_LOST'])
  })

  it('starts with a damaged file, which it reports and replaces', async () => {
    writeFileSync(file(), '{"host": 1')
    const logger = capturingLogger()
    expect((await begin({ logger })).losses).toEqual([])
    expect(logger.lines.join()).toContain('the file about the database cannot be read')
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toMatchObject({ beats: 1 })
  })
})
