// Rewrites of many journals in one statement: pools that start together rewrite theirs at the same moment.
import { callDeadline } from './connection.ts'
import type { Database } from './database.ts'
import { type Proof, type Right, rightLost } from './right.ts'
import { together } from './together.ts'

export interface NewContents {
  right: Right
  /** Of its row. */
  journal: string
  /** Number of the first record: none was ever used from it on. */
  first: number
  /** A line of JSON for each record. */
  lines: string
  /** Of the records. */
  count: number
  /** As JSON. */
  owner: string | null
}

/** Resolves once it is committed. Throws a ProvisionError: STATE_RIGHT_LOST when nothing was written. */
export type Rewrite = (contents: NewContents) => Promise<void>

/** Rewrites in one statement, each of so many characters at most; a larger one is alone. */
const mostAtOnce = 16
const small = 65_536

interface Asked extends NewContents {
  proof: Proof
}

export function groupedRewrites({
  database,
  schema,
}: {
  database: Database
  /** Quoted. */
  schema: string
}): Rewrite {
  /** Which of them were written. */
  async function write(group: readonly Asked[]): Promise<boolean[]> {
    const lines = group.flatMap(({ count, lines }) => (count > 0 ? lines : [])).join('\n')
    const skips: number[] = []
    let skipped = 0
    for (const { count } of group) {
      skips.push(skipped)
      skipped += count
    }
    // A rewrite that was given up before, and is carried out late, must not undo this one: hence the numbers.
    const { rows } = await database.query(
      `WITH asked AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[], $6::text[], $7::int[], $8::int[])
         WITH ORDINALITY AS a (lease, epoch, nonce, journal, first, owner, skip, count, n)),
       held AS (SELECT a.* FROM ${schema}.leases l JOIN asked a ON a.lease = l.name AND a.epoch = l.epoch AND a.nonce = l.nonce
         ORDER BY l.name FOR KEY SHARE OF l),
       renewed AS (UPDATE ${schema}.journals j SET first_number = held.first, owner = held.owner
         FROM held WHERE j.id = held.journal AND j.first_number < held.first RETURNING held.*),
       gone AS (DELETE FROM ${schema}.journal_records r USING renewed WHERE r.journal = renewed.journal AND r.number < renewed.first),
       written AS (INSERT INTO ${schema}.journal_records (journal, number, epoch, nonce, record)
         SELECT renewed.journal, renewed.first + r.n - renewed.skip - 1, renewed.epoch, renewed.nonce, r.record
         FROM renewed JOIN unnest(string_to_array(NULLIF($9, ''), E'\\n')) WITH ORDINALITY AS r (record, n)
           ON r.n > renewed.skip AND r.n <= renewed.skip + renewed.count)
       SELECT n::int AS n FROM renewed`,
      [
        group.map(({ proof: [lease] }) => lease),
        group.map(({ proof: [, epoch] }) => epoch),
        group.map(({ proof: [, , nonce] }) => nonce),
        group.map(({ journal }) => journal),
        group.map(({ first }) => first),
        group.map(({ owner }) => owner),
        skips,
        group.map(({ count }) => count),
        lines,
      ],
      // A second for each megabyte, in addition.
      { deadline: callDeadline + lines.length / 1_000 },
    )
    const written = new Set(rows.map(({ n }) => Number(n)))
    return group.map((_, n) => written.has(n + 1))
  }

  const rewrite = together({
    run: write,
    largest: mostAtOnce,
    // Each journal is rewritten by one at a time.
    isSame: (one: Asked, other) => one.lines.length <= small && other.lines.length <= small,
    // As many as before: a large one does not delay the others.
    mostAtOnce: 3,
  })
  return async (contents) => {
    if (!(await rewrite({ ...contents, proof: contents.right.proof() }))) throw rightLost(contents.right.to)
  }
}
