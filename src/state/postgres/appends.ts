// Records of many journals in one statement: a commit costs the same for all that wait for it. Each journal has its own right.
import type { Database } from './database.ts'
import { type Proof, type Right, rightLost } from './right.ts'
import { together } from './together.ts'

export interface NewRecords {
  right: Right
  /** Of its row. */
  journal: string
  /** Number of the first. */
  first: number
  /** As JSON, without line ends. */
  lines: readonly string[]
}

/**
 * Resolves once they are committed. Throws a ProvisionError: STATE_RIGHT_LOST when nothing was written; otherwise it may be
 * unknown whether they were.
 */
export type Append = (records: NewRecords) => Promise<void>

/** While one statement waits for its commit, another collects what has come since. */
const mostAtOnce = 2

interface Asked extends NewRecords {
  proof: Proof
}

export function groupedAppends({
  database,
  schema,
}: {
  database: Database
  /** Quoted. */
  schema: string
}): Append {
  /** Which of them have the right to write, so that their records are committed. */
  async function write(group: readonly Asked[]): Promise<boolean[]> {
    const asked = [...new Map(group.map(({ proof }) => [keyOf(proof), proof])).values()]
    const place = new Map(asked.map((proof, n) => [keyOf(proof), n + 1]))
    const placeOf = ({ proof }: Asked) => place.get(keyOf(proof))!
    const rows = group.flatMap((part) =>
      part.lines.map((line, n) => ({
        journal: part.journal,
        number: part.first + n,
        line,
        asked: placeOf(part),
      })),
    )
    // In order, so that two statements that wait for the same rows do not wait for each other.
    const { rows: found } = await database.query(
      `WITH asked AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[]) WITH ORDINALITY AS a (name, epoch, nonce, n)),
       held AS (SELECT a.n, l.epoch, l.nonce FROM ${schema}.leases l
         JOIN asked a ON a.name = l.name AND a.epoch = l.epoch AND a.nonce = l.nonce ORDER BY l.name FOR KEY SHARE OF l),
       written AS (INSERT INTO ${schema}.journal_records (journal, number, epoch, nonce, record)
         SELECT r.journal, r.number, held.epoch, held.nonce, r.record
         FROM unnest($4::bigint[], $5::bigint[], $6::bigint[], string_to_array($7, E'\\n')) AS r (n, journal, number, record)
         JOIN held ON held.n = r.n)
       SELECT n::int FROM held`,
      [
        asked.map(([name]) => name),
        asked.map(([, number]) => number),
        asked.map(([, , nonce]) => nonce),
        rows.map(({ asked }) => asked),
        rows.map(({ journal }) => journal),
        rows.map(({ number }) => number),
        rows.map(({ line }) => line).join('\n'),
      ],
    )
    const held = new Set(found.map(({ n }) => Number(n)))
    return group.map((part) => held.has(placeOf(part)))
  }

  const append = together({ run: write, mostAtOnce })
  return async (records) => {
    if (!(await append({ ...records, proof: records.right.proof() }))) throw rightLost(records.right.to)
  }
}

function keyOf(proof: Proof): string {
  return JSON.stringify(proof)
}
