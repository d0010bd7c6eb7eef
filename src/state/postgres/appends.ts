// Records of many journals in one statement: a commit costs the same for all that wait for it.
import type { Database } from './database.ts'
import { heldBy, heldRow, type Right, rightLost } from './right.ts'

export interface NewRecords {
  /** Of its row. */
  journal: string
  /** Number of the first. */
  first: number
  /** As JSON, without line ends. */
  lines: readonly string[]
}

/** Resolves once they are committed. Throws a ProvisionError; then it may be unknown whether they were. */
export type Append = (records: NewRecords) => Promise<void>

/** While one statement waits for its commit, another collects what has come since. */
const mostAtOnce = 2

interface Waiting extends NewRecords {
  resolve: () => void
  reject: (error: unknown) => void
}

export function groupedAppends({
  database,
  schema,
  name,
  right,
}: {
  database: Database
  /** Quoted. */
  schema: string
  /** Of the store, for messages. */
  name: string
  right: Right
}): Append {
  let waiting: Waiting[] = []
  let running = 0

  async function write(group: readonly Waiting[]): Promise<void> {
    const rows = group.flatMap(({ journal, first, lines }) =>
      lines.map((line, n) => ({ journal, number: first + n, line })),
    )
    const { count } = await database.query(
      `WITH held AS (${heldRow(schema)})
       INSERT INTO ${schema}.journal_records (journal, number, epoch, nonce, record)
       SELECT r.journal, r.number, held.epoch, held.nonce, r.record
       FROM held, unnest($4::bigint[], $5::bigint[], string_to_array($6, E'\\n')) AS r (journal, number, record)`,
      [
        ...heldBy(right.epoch()),
        rows.map(({ journal }) => journal),
        rows.map(({ number }) => number),
        rows.map(({ line }) => line).join('\n'),
      ],
    )
    if (count !== rows.length) throw rightLost(name)
  }

  async function run(): Promise<void> {
    running++
    // So that what is asked for at the same moment is together.
    await null
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      try {
        await write(group)
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    running--
  }

  return (records) =>
    new Promise((resolve, reject) => {
      waiting.push({ ...records, resolve, reject })
      if (running < mostAtOnce) void run()
    })
}
