// The output of jobs in a table: some rows for each allocation, each with lines that follow each other.
import {
  joinOutput,
  mostOutput,
  noOutput,
  type OutputChunk,
  type OutputLine,
  type OutputStore,
  type Positions,
} from '../output.ts'
import { callDeadline } from './connection.ts'
import type { Database } from './database.ts'
import { heldRow, type Right, rightLost } from './right.ts'

export interface OutputTable {
  database: Database
  /** Quoted. */
  schema: string
  right: Right
  /** Characters of all rows together. */
  most?: number
}

/** Characters up to which lines are added to the newest row of an allocation: so that a job which prints little has few rows. */
const smallest = 4_096
/** Added characters after which old rows are removed. */
const pruneEvery = 16 * 1024 * 1024

interface Row {
  allocation: string
  first: number
  lines: readonly OutputLine[]
  json: string
  positions: Positions
  kept: number
}

export function openOutputTable({ database, schema, right, most = mostOutput }: OutputTable): OutputStore {
  /** The newest row of an allocation, as it was written here, while it may grow. */
  const growing = new Map<string, Row>()
  // The first write of a start removes what became too much since the last.
  let sincePrune = pruneEvery

  function rowOf({ allocation, first, lines, positions, kept }: OutputChunk): Row {
    const newest = growing.get(allocation)
    const grows = newest && newest.first + newest.lines.length === first
    const all = grows ? [...newest.lines, ...lines] : lines
    const json = JSON.stringify(all)
    return { allocation, first: grows ? newest.first : first, lines: all, json, positions, kept }
  }

  async function write(rows: readonly Row[]): Promise<void> {
    const { rows: found } = await database.query(
      `WITH held AS (${heldRow(schema)}),
       added AS (SELECT * FROM unnest($4::text[], $5::bigint[], $6::int[], $7::text[], $8::bigint[], string_to_array($9, E'\\n'))
         AS r (allocation, first, count, positions, kept, lines)),
       written AS (INSERT INTO ${schema}.job_output (allocation, first, count, size, positions, lines)
         SELECT allocation, first, count, length(lines), positions, lines FROM held, added ORDER BY allocation
         ON CONFLICT (allocation, first) DO UPDATE SET count = excluded.count, size = excluded.size,
           positions = excluded.positions, lines = excluded.lines, written_at = clock_timestamp()),
       gone AS (DELETE FROM ${schema}.job_output o USING held, added a
         WHERE o.allocation = a.allocation AND o.first < a.first AND o.first + o.count <= a.kept)
       SELECT count(*)::int AS held FROM held`,
      [
        ...right.proof(),
        rows.map(({ allocation }) => allocation),
        rows.map(({ first }) => first),
        rows.map(({ lines }) => lines.length),
        rows.map(({ positions }) => JSON.stringify(positions)),
        rows.map(({ kept }) => kept),
        rows.map(({ json }) => json).join('\n'),
      ],
    )
    if (found[0]?.['held'] !== 1) throw rightLost(right.to)
  }

  /** Reduces the rows that were written first to the heads of their allocations. */
  async function prune(): Promise<void> {
    sincePrune = 0
    const old = `SELECT * FROM (SELECT allocation, first,
        sum(size) OVER (ORDER BY written_at DESC, allocation, first DESC) AS so_far,
        first = max(first) OVER (PARTITION BY allocation) AS is_newest
      FROM ${schema}.job_output) AS all_rows WHERE so_far > ${most}`
    await database.query(
      `WITH held AS (${heldRow(schema)}), old AS (${old}),
       gone AS (DELETE FROM ${schema}.job_output o USING held, old
         WHERE o.allocation = old.allocation AND o.first = old.first AND NOT is_newest)
       UPDATE ${schema}.job_output o SET first = o.first + o.count, count = 0, size = 0, lines = '[]' FROM held, old
       WHERE o.allocation = old.allocation AND o.first = old.first AND is_newest AND o.size > 0`,
      right.proof(),
      { deadline: 2 * callDeadline },
    )
    growing.clear()
  }

  return {
    async allocations() {
      const { rows } = await database.query(
        `SELECT DISTINCT allocation FROM ${schema}.job_output ORDER BY allocation`,
      )
      return rows.map(({ allocation }) => String(allocation))
    },
    async heads(allocations) {
      const { rows } = await database.query(
        `SELECT DISTINCT ON (allocation) allocation, (first + count)::float8 AS count, positions FROM ${schema}.job_output
         WHERE allocation = ANY ($1::text[]) ORDER BY allocation, first DESC`,
        [allocations],
      )
      return new Map(
        (rows as { allocation: string; count: number; positions: string }[]).map(
          ({ allocation, count, positions }) => [
            allocation,
            { count, positions: JSON.parse(positions) as Positions },
          ],
        ),
      )
    },
    async read(allocation) {
      const { rows } = await database.query(
        `SELECT first::float8 AS first, count, positions, lines FROM ${schema}.job_output WHERE allocation = $1 ORDER BY first`,
        [allocation],
      )
      const stored = rows as { first: number; count: number; positions: string; lines: string }[]
      const newest = stored.at(-1)
      if (!newest) return noOutput
      const numbered = stored.flatMap(({ first, lines }) =>
        (JSON.parse(lines) as OutputLine[]).map((line, n) => [first + n, line] as const),
      )
      return joinOutput(numbered, {
        count: newest.first + newest.count,
        positions: JSON.parse(newest.positions) as Positions,
      })
    },
    async append(chunks) {
      const rows = chunks.map(rowOf)
      // Until it is known what the table has.
      for (const { allocation } of rows) growing.delete(allocation)
      await write(rows)
      for (const row of rows) {
        sincePrune += row.json.length
        if (row.json.length < smallest) growing.set(row.allocation, row)
      }
      if (sincePrune >= pruneEvery) await prune()
    },
    async forget(allocations) {
      for (const allocation of allocations) growing.delete(allocation)
      const { rows } = await database.query(
        `WITH held AS (${heldRow(schema)}),
         gone AS (DELETE FROM ${schema}.job_output o USING held WHERE o.allocation = ANY ($4::text[]))
         SELECT count(*)::int AS held FROM held`,
        [...right.proof(), allocations],
      )
      if (rows[0]?.['held'] !== 1) throw rightLost(right.to)
    },
  }
}
