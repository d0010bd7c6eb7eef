// Notices that the database has lost commits, and keeps that until each journal was completed by listings: in its row, so
// that whoever opens it next knows it, too.
import { randomUUID } from 'node:crypto'
import type { Logger } from '../../platform/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import type { Database } from './database.ts'
import {
  describeSign,
  isForbidden,
  type Lineage,
  type LineageColumns,
  type LineageFile,
  type LossSign,
  lineageColumns,
  lineageIn,
  noColumns,
  type RememberedLineage,
  signOfLostCommits,
} from './lineage.ts'

export interface LineageWatchOptions {
  database: Database
  /** Quoted. */
  schema: string
  /** Of the store, for messages. */
  name: string
  /** Left out: nothing is remembered from one start to the next. */
  file?: LineageFile | undefined
  logger: Logger
}

/** What a journal that this process has opened knows of losses. */
export interface JournalLineage {
  /** Commits were lost since the journal was opened or rewritten: only a rewrite makes certain what is in it. */
  doubt(): Problem | undefined
  onDoubt(listener: () => void): void
  /** Nothing calls back any more. */
  close(): void
  /** To be called before a rewrite; its result when the rewrite is committed. */
  rewriting(): () => Promise<void>
}

/** Writes the row of this host, and returns it with the lineage: a statement, or a part of one. */
export interface Beat {
  /** `first`: number of the first of its parameters. */
  sql(first: number): string
  values: readonly [host: string, beats: number]
}

export interface LineageWatch {
  /**
   * One statement. Call it at the start and with each renewal: a loss that was noticed is logged, written down, and passed
   * to the listener. Throws a ProvisionError when the database does not answer or cannot write.
   */
  check(): Promise<void>
  /** The same as a part of another statement, which `run` sends; it resolves with the row of the beat. */
  checkWith(run: (beat: Beat) => Promise<Record<string, unknown> | undefined>): Promise<void>
  onLoss(listener: (found: Problem) => void): void
  /** Columns of the statement that finds a journal, joined with its row `l` of `journal_lineages`; for `found`. */
  columns(): string
  found(row: Record<string, unknown>): FoundLineage
  /**
   * After `keptLineages`, with what it returned. `problem`: the journal may lack what was written last, until it is rewritten
   * by who opened it knowing that.
   */
  opened(
    found: FoundLineage,
    journal: { id: string; key: string; losses: number; isLost: boolean },
  ): { lineage: JournalLineage; problem?: Problem }
}

/** The lineage under which a journal was written, and that of the server now. */
export interface FoundLineage {
  before: Partial<Lineage>
  now: Omit<Lineage, 'beats'>
  /** Commits were lost, and nobody has noticed it for this journal. */
  sign?: LossSign
  /** Losses that this process had noticed before. */
  known: number
}

/**
 * Keeps the lineages of journals that are opened: a part of a statement that has `found (id, system, timeline, seen)`, where
 * `seen` is 1 for a sign and else 0. Returns `journal`, `losses` and `lost`.
 */
export function keptLineages(schema: string): string {
  return `INSERT INTO ${schema}.journal_lineages AS l (journal, system, timeline, stamp, losses)
     SELECT id, system, timeline, txid_current(), seen FROM found ORDER BY id
     ON CONFLICT (journal) DO UPDATE SET system = excluded.system, timeline = excluded.timeline, stamp = excluded.stamp,
       losses = l.losses + excluded.losses
     RETURNING journal, losses, losses > settled AS lost`
}

/** Rows of hosts that are gone for longer are removed; one that returns then waits for listings once. */
const keepBeats = '30 days'

export function createLineageWatch({
  database,
  schema,
  name,
  file,
  logger,
}: LineageWatchOptions): LineageWatch {
  let columns: LineageColumns | undefined
  let remembered: RememberedLineage | undefined
  /** Losses that this process has noticed. */
  let losses = 0
  let last: Problem | undefined
  let listener: (found: Problem) => void = () => {}
  const doubting = new Set<() => void>()
  let checking: Promise<void> = Promise.resolve()

  type Run = Parameters<LineageWatch['checkWith']>[0]

  const byItself: Run = async ({ sql, values }) => (await database.urgent(sql(1), [...values])).rows[0]

  /** A row that is older than it should be stays as it is until the loss was written down. */
  function beatWith({ sql: shown }: LineageColumns, host: string, before: number): Beat {
    return {
      values: [host, before],
      sql: (first) =>
        `INSERT INTO ${schema}.lineage_beats AS b (host, beats) VALUES ($${first}::uuid, CASE WHEN $${first + 1}::bigint > 0 THEN 0 ELSE 1 END)
         ON CONFLICT (host) DO UPDATE SET seen_at = clock_timestamp(),
           beats = CASE WHEN b.beats >= $${first + 1}::bigint THEN b.beats + 1 ELSE b.beats END
         RETURNING beats::float8 AS beats, ${shown}`,
    }
  }

  async function beat(run: Run, host: string, before: number): Promise<Lineage> {
    columns ??= await lineageColumns(database.query)
    const row = await run(beatWith(columns, host, before)).catch((error: unknown) => {
      // Another server may forbid what the one before allowed.
      if (isForbidden(error)) columns = undefined
      throw error
    })
    return { ...lineageIn(row), beats: Number(row?.['beats']) }
  }

  /** For all journals, unless another host has just done it for this server and timeline. Returns the beats then. */
  async function writeDown(sign: LossSign, now: Lineage, before: RememberedLineage): Promise<number> {
    const { system = null, timeline = null } = now
    const isSeenByAll = sign === 'system' || sign === 'timeline'
    return database.transaction(async (query) => {
      await query(
        `INSERT INTO ${schema}.journal_lineages AS l (journal, system, timeline, stamp, losses)
         SELECT id, $1::text, $2::bigint, txid_current(), 1 FROM ${schema}.journals WHERE in_use
         ON CONFLICT (journal) DO UPDATE
           SET system = excluded.system, timeline = excluded.timeline, stamp = excluded.stamp, losses = l.losses + 1
           WHERE $3::int = 0 OR l.losses = l.settled OR (l.system, l.timeline) IS DISTINCT FROM (excluded.system, excluded.timeline)`,
        [system, timeline, isSeenByAll ? 1 : 0],
      )
      const { rows } = await query(
        `UPDATE ${schema}.lineage_beats SET beats = greatest(beats, $2::bigint) + 1 WHERE host = $1::uuid
         RETURNING beats::float8 AS beats`,
        [before.host, before.beats],
      )
      return Number(rows[0]?.['beats'] ?? now.beats)
    })
  }

  async function check(run: Run): Promise<void> {
    const before = remembered ?? file?.read() ?? { host: randomUUID(), beats: 0 }
    const now = await beat(run, before.host, before.beats)
    if (!remembered)
      await database.query(
        `DELETE FROM ${schema}.lineage_beats WHERE seen_at < clock_timestamp() - interval '${keepBeats}'`,
      )
    const sign = signOfLostCommits(before, now)
    const beats = sign ? await writeDown(sign, now, before) : now.beats
    remembered = { ...now, beats, host: before.host }
    if (sign) {
      losses++
      last = lost(name, describeSign(sign, before, now))
      logger.error('the database has lost commits; nothing is launched until listings show what exists', {
        code: last.code,
        why: last.message,
      })
      listener(last)
      for (const notice of doubting) notice()
    }
    await file?.write(remembered)
  }

  function lineageOf(id: string, opened: { losses: number; isLost: boolean; known: number }): JournalLineage {
    let { known } = opened
    let isSettled = !opened.isLost
    let notice: (() => void) | undefined
    return {
      onDoubt(called) {
        notice = called
        doubting.add(called)
      },
      close: () => notice && doubting.delete(notice),
      doubt: () => (losses > known ? last : undefined),
      rewriting() {
        const seen = losses
        return async () => {
          known = seen
          if (isSettled) return
          // Otherwise the next rewrite tries again.
          await settle(id, opened.losses).then(
            () => (isSettled = true),
            () => {},
          )
        }
      },
    }
  }

  async function settle(id: string, settled: number): Promise<void> {
    await database.query(
      `UPDATE ${schema}.journal_lineages SET settled = greatest(settled, $2::int), stamp = txid_current() WHERE journal = $1::bigint`,
      [id, settled],
    )
  }

  function checkWith(run: Run): Promise<void> {
    checking = checking.catch(() => {}).then(() => check(run))
    return checking
  }

  return {
    check: () => checkWith(byItself),
    checkWith,
    onLoss(called) {
      listener = called
    },
    // What may be called is not asked for here: it was at the start.
    columns: () =>
      `l.system AS was_system, l.timeline::float8 AS was_timeline, l.stamp % 4294967296 <> l.xmin::text::bigint AS copied,
       ${(columns ?? noColumns).sql}`,
    found(row) {
      const now = lineageIn(row)
      const before = beforeIn(row)
      const sign = signOfLostCommits({ ...before, beats: 0 }, { ...now, beats: 1 })
      const seen = sign ?? (row['copied'] === true ? 'copied' : undefined)
      return { before, now, known: losses, ...(seen && { sign: seen }) }
    },
    opened({ before, now, sign, known }, { id, key, losses: kept, isLost }) {
      const lineage = lineageOf(id, { losses: kept, isLost, known })
      if (!isLost) return { lineage }
      const why = sign
        ? describeSign(sign, before, now)
        : 'this was noticed before, and listings have not completed it'
      return { lineage, problem: lost(`journal ${key} in ${name}`, why) }
    },
  }
}

function beforeIn(row: Record<string, unknown>): Partial<Lineage> {
  const { was_system: system, was_timeline: timeline } = row
  return {
    ...(typeof system === 'string' && { system }),
    ...(typeof timeline === 'number' && { timeline }),
  }
}

function lost(what: string, why: string): Problem {
  return problem('STATE_COMMITS_LOST', `${what} may lack what was written last: ${why}`)
}
