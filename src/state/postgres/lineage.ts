// Which history of a database this is. A standby that was promoted, a restored dump and a disk that was put back continue
// from a moment in the past: commits that were confirmed are gone.
import * as z from 'zod/mini'
import { type Logger, readPlainFile, replaceFile } from '../../platform/index.ts'
import { ProvisionError } from '../../problems/index.ts'
import type { Query } from './database.ts'

/** What is not known, because a service forbids the function, is left out, and is not compared. */
export interface Lineage {
  /** `system_identifier`: made by initdb, kept by standbys and by copies of the disk. */
  system?: string
  /** One higher after each promotion and each point-in-time recovery. */
  timeline?: number
  /** Position in the write-ahead log, in bytes, before a commit that was confirmed. */
  wal?: bigint
  /** How often this host has written its row: after the last time, one more than before. */
  beats: number
}

/**
 * - `system`: another server; its data came by a dump, or by logical replication
 * - `timeline`: a standby was promoted, or the server was recovered to a point in time
 * - `wal`: the log is shorter than it was: the disk is an older copy
 * - `beats`: the row of this host is older than its last confirmed write
 * - `copied`: a row was not written by this program, but restored from a dump */
export type LossSign = 'system' | 'timeline' | 'wal' | 'beats' | 'copied'

/**
 * Whether commits that were confirmed when `before` was read may be missing now; undefined if not. A promotion that lost
 * nothing looks the same, so it counts, too. Positions are compared only within one timeline.
 */
export function signOfLostCommits(before: Lineage, now: Lineage): LossSign | undefined {
  if (differ(before.system, now.system)) return 'system'
  if (differ(before.timeline, now.timeline)) return 'timeline'
  if (before.wal !== undefined && now.wal !== undefined && now.wal < before.wal) return 'wal'
  return now.beats <= before.beats ? 'beats' : undefined
}

function differ<T>(one: T | undefined, other: T | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other
}

/** Completes "PostgreSQL db:5432 has lost commits: …". */
export function describeSign(sign: LossSign, before: Partial<Lineage>, now: Partial<Lineage>): string {
  switch (sign) {
    case 'system':
      return `it is another server (system identifier ${now.system}, before ${before.system})`
    case 'timeline':
      return `a standby was promoted, or it was recovered to a point in time (timeline ${now.timeline}, before ${before.timeline})`
    case 'wal':
      return `its write-ahead log went back from ${positionText(before.wal!)} to ${positionText(now.wal!)}, so its disk is an older copy`
    case 'beats':
      return 'the last write of this host is missing, so an older copy or dump was restored'
    case 'copied':
      return 'its tables were restored from a dump, or copied'
  }
}

/** As PostgreSQL prints it, such as `16/B374D848`. */
export function positionText(position: bigint): string {
  return `${(position >> 32n).toString(16)}/${(position & 0xffff_ffffn).toString(16)}`.toUpperCase()
}

export function positionOf(text: string): bigint {
  const [high, low] = text.split('/')
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
}

// Reading it. Each function may be called by everybody, but services that only resemble PostgreSQL forbid or lack some.

const expressions = {
  system: '(SELECT system_identifier FROM pg_control_system())::text',
  // Its first eight digits are the timeline. pg_control_checkpoint() shows that of the last checkpoint, which may be older.
  file: 'pg_walfile_name(pg_current_wal_insert_lsn())',
  wal: 'pg_current_wal_insert_lsn()::text',
} as const

type Column = keyof typeof expressions

/** Columns for a SELECT or RETURNING of the primary, as `lineageIn` reads them. */
export interface LineageColumns {
  sql: string
  /** What this server does not show, as people know it. */
  hidden: string[]
}

/** Nothing is shown, and so nothing is compared. */
export const noColumns: LineageColumns = {
  sql: Object.keys(expressions)
    .map((column) => `NULL::text AS ${column}`)
    .join(', '),
  hidden: [],
}

const names: Record<Column, string> = {
  system: 'the system identifier (pg_control_system)',
  file: 'the timeline (pg_walfile_name)',
  wal: 'the position in the write-ahead log (pg_current_wal_insert_lsn)',
}

/** Which of the functions may be called. Throws what keeps the database from answering at all. */
export async function lineageColumns(query: Query): Promise<LineageColumns> {
  const columns: string[] = []
  const hidden: string[] = []
  for (const [column, expression] of Object.entries(expressions) as [Column, string][]) {
    const isShown = await query(`SELECT ${expression} AS shown`).then(
      ({ rows }) => rows[0]?.['shown'] != null,
      (error: unknown) => {
        if (isForbidden(error)) return false
        throw error
      },
    )
    columns.push(`${isShown ? expression : 'NULL::text'} AS ${column}`)
    if (!isShown) hidden.push(names[column])
  }
  return { sql: columns.join(', '), hidden }
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: no privilege, no such function, not supported. */
const forbidden = ['42501', '42883', '0A000']

export function isForbidden(error: unknown): boolean {
  const cause = error instanceof ProvisionError ? error.problems[0]?.cause : error
  return forbidden.includes(String((cause as { code?: unknown } | undefined)?.code))
}

export function lineageIn(row: Record<string, unknown> | undefined): Omit<Lineage, 'beats'> {
  const [system, file, wal] = ['system', 'file', 'wal'].map((column) => row?.[column])
  return {
    ...(typeof system === 'string' && { system }),
    ...(typeof file === 'string' && { timeline: Number.parseInt(file.slice(0, 8), 16) }),
    ...(typeof wal === 'string' && { wal: positionOf(wal) }),
  }
}

// What this host remembers of the database, in a file beside its lock: a disk that was put back cannot change it.

export interface RememberedLineage extends Lineage {
  /** Of the row that this host writes: a random UUID. */
  host: string
}

export interface LineageFile {
  /** undefined before the first start here, and where the file is not readable, which is logged. */
  read(): RememberedLineage | undefined
  /** Never throws: without it only what happens while this process runs is noticed. */
  write(remembered: RememberedLineage): Promise<void>
}

const contents = z.object({
  host: z.uuid(),
  system: z.optional(z.string()),
  timeline: z.optional(z.int()),
  wal: z.optional(z.string().check(z.regex(/^[0-9A-F]+\/[0-9A-F]+$/))),
  beats: z.int(),
})

export function lineageFile(file: string, logger: Logger): LineageFile {
  let failing = false
  return {
    read() {
      try {
        const text = readPlainFile(file)
        if (text === undefined) return undefined
        const { wal, ...rest } = contents.parse(JSON.parse(text))
        return { ...rest, ...(wal !== undefined && { wal: positionOf(wal) }) } as RememberedLineage
      } catch (error) {
        logger.warn('the file about the database cannot be read and is written again', { file, error })
        return undefined
      }
    },
    async write({ wal, ...rest }) {
      const text = JSON.stringify({ ...rest, ...(wal !== undefined && { wal: positionText(wal) }) })
      try {
        await replaceFile(file, [Buffer.from(`${text}\n`)])
        failing = false
      } catch (error) {
        if (!failing) logger.error('the file about the database cannot be written', { file, error })
        failing = true
      }
    },
  }
}
