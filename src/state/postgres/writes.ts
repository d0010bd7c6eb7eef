// Records and rewrites of many journals in one statement: a commit costs the same for all that wait for it. Each journal has its
// own right.
import { together } from '../../platform/index.ts'
import { callDeadline } from './connection.ts'
import type { Database } from './database.ts'
import { type Proof, type Right, rightLost } from './right.ts'

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

// Rewrites: pools that start together rewrite their journals at the same moment.

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
const mostRewrites = 16
const small = 65_536

interface AskedRewrite extends NewContents {
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
  async function write(group: readonly AskedRewrite[]): Promise<boolean[]> {
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
    largest: mostRewrites,
    // Each journal is rewritten by one at a time.
    isSame: (one: AskedRewrite, other) => one.lines.length <= small && other.lines.length <= small,
    // As many as before: a large one does not delay the others.
    mostAtOnce: 3,
  })
  return async (contents) => {
    if (!(await rewrite({ ...contents, proof: contents.right.proof() }))) throw rightLost(contents.right.to)
  }
}
