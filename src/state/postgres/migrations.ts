// The tables, in versions. Each step has its way back. Steps run in one transaction, under a lock: never half, never twice.
import { crc32 } from 'node:zlib'
import { ProvisionError, problem } from '../../problems/index.ts'
import type { Database, Query } from './database.ts'
import { lockOccupants, refuseWhileAlone, refuseWhileShared } from './occupants.ts'
import { aloneRow, numbersOf } from './right.ts'

interface Migration {
  up(schema: string): string[]
  down(schema: string): string[]
  /** Programs from this version of the tables on can use them. */
  oldest: number
}

/** From version 1 on. A step that has been released is not changed any more. */
const migrations: readonly Migration[] = [
  {
    oldest: 1,
    up: (s) => [
      // A change of nonce or epoch is a change of a key, so it waits for every write that has read the row FOR KEY SHARE.
      `CREATE TABLE ${s}.leases (
        name text PRIMARY KEY,
        epoch bigint NOT NULL,
        nonce uuid NOT NULL,
        holder text NOT NULL,
        taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        renewed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        expires_at timestamptz NOT NULL,
        UNIQUE (name, epoch, nonce)
      )`,
      `CREATE TABLE ${s}.identity (
        part text PRIMARY KEY,
        value text NOT NULL,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
      `CREATE TABLE ${s}.journals (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL UNIQUE,
        in_use boolean NOT NULL DEFAULT true,
        kind text NOT NULL,
        owner text,
        first_number bigint NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
      // record: JSON as text, because json and jsonb refuse or change some of what JSON can say.
      `CREATE TABLE ${s}.journal_records (
        journal bigint NOT NULL REFERENCES ${s}.journals (id) ON DELETE CASCADE,
        number bigint NOT NULL,
        epoch bigint NOT NULL,
        nonce uuid NOT NULL,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        record text NOT NULL,
        PRIMARY KEY (journal, number)
      )`,
    ],
    down: (s) => [
      `DROP TABLE ${s}.journal_records`,
      `DROP TABLE ${s}.journals`,
      `DROP TABLE ${s}.identity`,
      `DROP TABLE ${s}.leases`,
    ],
  },
  {
    oldest: 1,
    up: (s) => [
      `CREATE TABLE ${s}.decisions (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at double precision NOT NULL,
        pool text,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        record text NOT NULL
      )`,
      `CREATE INDEX decisions_of_pool ON ${s}.decisions (pool, id)`,
    ],
    down: (s) => [`DROP TABLE ${s}.decisions`],
  },
  {
    // Earlier programs know one right to everything, and would write beside the holders of leases.
    oldest: 3,
    up: (s) => [
      // about: as announced, JSON.
      `CREATE TABLE ${s}.provisioners (
        id text PRIMARY KEY,
        about text NOT NULL,
        expires_at timestamptz NOT NULL
      )`,
      // Of the term that this one followed.
      `ALTER TABLE ${s}.leases ADD COLUMN before uuid`,
      `CREATE SEQUENCE ${s}.epochs`,
      // Leases of a time before are gone, and their numbers are in use.
      `SELECT setval('${numbersOf(s)}', (SELECT coalesce(max(epoch), 0) FROM ${s}.journal_records) + 1, false)`,
    ],
    down: (s) => [
      `DELETE FROM ${s}.leases WHERE name <> '${aloneRow}'`,
      `DROP SEQUENCE ${s}.epochs`,
      `ALTER TABLE ${s}.leases DROP COLUMN before`,
      `DROP TABLE ${s}.provisioners`,
    ],
  },
  {
    oldest: 3,
    up: (s) => [
      // location: JSON with its keys in order, as text, so that it can be a key.
      `CREATE TABLE ${s}.cluster_locations (
        provider text NOT NULL,
        location text NOT NULL,
        account text,
        noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (provider, location)
      )`,
      `CREATE TABLE ${s}.cluster_adopted (
        writer text NOT NULL,
        pool text NOT NULL,
        noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (writer, pool)
      )`,
      `CREATE TABLE ${s}.cluster_drained (
        instance text PRIMARY KEY,
        noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
      // Files of earlier states in a folder, each added once.
      `CREATE TABLE ${s}.cluster_imports (
        sha256 text PRIMARY KEY,
        noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
    ],
    down: (s) =>
      ['cluster_imports', 'cluster_drained', 'cluster_adopted', 'cluster_locations'].map(
        (table) => `DROP TABLE ${s}.${table}`,
      ),
  },
  {
    oldest: 3,
    up: (s) => [
      // stamp: the transaction that wrote the row. In a restored dump it is not the one that the row itself has (xmin).
      `CREATE TABLE ${s}.journal_lineages (
        journal bigint PRIMARY KEY REFERENCES ${s}.journals (id) ON DELETE CASCADE,
        system text,
        timeline bigint,
        stamp bigint NOT NULL,
        losses integer NOT NULL DEFAULT 0,
        settled integer NOT NULL DEFAULT 0
      )`,
      `CREATE TABLE ${s}.lineage_beats (
        host uuid PRIMARY KEY,
        beats bigint NOT NULL,
        seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
    ],
    down: (s) => [`DROP TABLE ${s}.lineage_beats`, `DROP TABLE ${s}.journal_lineages`],
  },
  {
    oldest: 3,
    up: (s) => [
      // name: of what is led; summary: JSON; body: compressed, so that it is not worth trying again.
      `CREATE TABLE ${s}.views (
        name text PRIMARY KEY,
        epoch bigint NOT NULL,
        nonce uuid NOT NULL,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        summary text NOT NULL,
        body bytea,
        body_at timestamptz
      )`,
      `ALTER TABLE ${s}.views ALTER COLUMN body SET STORAGE EXTERNAL`,
      // lease: the name of its row; whoever has it may take the order. epoch, nonce: of who took it.
      `CREATE TABLE ${s}.orders (
        id uuid PRIMARY KEY,
        lease text NOT NULL,
        placed_by text NOT NULL,
        placed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        expires_at timestamptz NOT NULL,
        body text NOT NULL,
        taken_at timestamptz,
        epoch bigint,
        nonce uuid,
        answer text,
        answered_at timestamptz
      )`,
      `CREATE INDEX orders_waiting ON ${s}.orders (lease) WHERE taken_at IS NULL`,
    ],
    down: (s) => [`DROP TABLE ${s}.orders`, `DROP TABLE ${s}.views`],
  },
  {
    oldest: 3,
    up: (s) => [
      // first: number of the first line. lines: JSON. positions: with these lines, JSON. size: characters of lines.
      `CREATE TABLE ${s}.job_output (
        allocation text NOT NULL,
        first bigint NOT NULL,
        count integer NOT NULL,
        size integer NOT NULL,
        positions text NOT NULL,
        lines text NOT NULL,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (allocation, first)
      )`,
    ],
    down: (s) => [`DROP TABLE ${s}.job_output`],
  },
  {
    oldest: 3,
    up: (s) => [
      // contents: JSON, in both; one: there is one CA.
      `CREATE TABLE ${s}.join_ca (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        revision bigint NOT NULL DEFAULT 1,
        contents text NOT NULL,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
      `CREATE TABLE ${s}.join_bindings (
        instance text PRIMARY KEY,
        revision bigint NOT NULL DEFAULT 1,
        contents text NOT NULL,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
      // Of the nonces that were used.
      `CREATE TABLE ${s}.join_nonces (
        sha256 text PRIMARY KEY,
        taken_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
    ],
    down: (s) => [`DROP TABLE ${s}.join_nonces`, `DROP TABLE ${s}.join_bindings`, `DROP TABLE ${s}.join_ca`],
  },
]

export const newestVersion = migrations.length

/** An SQL identifier, whatever is in the name. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** 0 without tables. Throws STATE_SCHEMA_NEWER when this program cannot use them. */
export async function versionOf(query: Query, schema: string, name: string): Promise<number> {
  const table = `${quoted(schema)}.migrations`
  const { rows: found } = await query('SELECT to_regclass($1)::text AS found', [table])
  if (found[0]?.['found'] === null) return 0
  const { rows } = await query(
    `SELECT version::int, oldest::int, program FROM ${table} ORDER BY version DESC LIMIT 1`,
  )
  const [row] = rows
  if (!row) return 0
  const { version, oldest, program } = row as { version: number; oldest: number; program: string }
  if (oldest > newestVersion)
    throw new ProvisionError(
      problem(
        'STATE_SCHEMA_NEWER',
        `the tables of ${name} have version ${version}, of provisioner ${program}; this one knows versions up to ${newestVersion}`,
        { details: { version, newestVersion, program } },
      ),
    )
  return version
}

/** Brings the tables to the version of this program, from an older or no version. */
export async function migrate(database: Database, schema: string, program: string): Promise<void> {
  await locked(database, schema, async (query) => {
    await checkSuitable(query, database.name)
    const s = quoted(schema)
    const { rows } = await query('SELECT to_regnamespace($1)::text AS found', [s])
    // Whoever may not create schemas can be given one.
    if (rows[0]?.['found'] === null) await query(`CREATE SCHEMA ${s}`)
    await query(`CREATE TABLE IF NOT EXISTS ${s}.migrations (
      version integer PRIMARY KEY,
      oldest integer NOT NULL,
      program text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )`)
    const from = await versionOf(query, schema, database.name)
    for (const [index, { up, oldest }] of migrations.entries()) {
      const version = index + 1
      if (version <= from) continue
      for (const statement of up(s)) await query(statement)
      await query(`INSERT INTO ${s}.migrations (version, oldest, program) VALUES ($1, $2, $3)`, [
        version,
        oldest,
        program,
      ])
    }
  })
}

/** One version back, for the program before this one; returns the version then. What only the newest version keeps is lost. */
export async function migrateBack(database: Database, schema: string): Promise<number> {
  return locked(database, schema, async (query) => {
    const version = await versionOf(query, schema, database.name)
    const step = migrations[version - 1]
    if (!step || version === 1)
      throw new ProvisionError(
        problem('USAGE', `the tables of ${database.name} have version ${version}: there is none before`, {
          remedy: `To remove them: DROP SCHEMA ${quoted(schema)} CASCADE`,
        }),
      )
    const s = quoted(schema)
    if (version >= 3) {
      await query(lockOccupants(s))
      await refuseWhileShared(query, s, database.name)
    }
    await refuseWhileAlone(query, s, database.name)
    for (const statement of step.down(s)) await query(statement)
    await query(`DELETE FROM ${s}.migrations WHERE version = $1`, [version])
    return version - 1
  })
}

/** Milliseconds for all steps. */
const migrationDeadline = 60_000

function locked<T>(database: Database, schema: string, work: (query: Query) => Promise<T>): Promise<T> {
  return database.transaction(
    async (query) => {
      // Of the transaction: a pooler may give the session to somebody else afterwards.
      await query('SELECT pg_advisory_xact_lock($1, $2)', [0x70_72_6f_76, crc32(schema) | 0])
      return work(query)
    },
    { deadline: migrationDeadline },
  )
}

/** Throws STATE_UNSUITABLE. */
async function checkSuitable(query: Query, name: string): Promise<void> {
  const { rows } = await query(
    "SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding",
  )
  const { version, encoding } = rows[0] as { version: number; encoding: string }
  const why =
    version < 120_000
      ? `it is version ${Math.floor(version / 10_000)}`
      : encoding !== 'UTF8'
        ? `its encoding is ${encoding}`
        : undefined
  if (why) throw new ProvisionError(problem('STATE_UNSUITABLE', `${name}: ${why}`))
}
