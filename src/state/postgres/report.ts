// What `provision check` reports about the database: connected and read; nothing is changed.
import type { PostgresConfig } from '../../config/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import { addressOf, describeAddress, type Env, unencrypted } from './address.ts'
import { type Database, databaseOf, type Query } from './database.ts'
import { lineageColumns } from './lineage.ts'
import { versionOf } from './migrations.ts'

export interface DatabaseReport {
  /** Such as `PostgreSQL 15.4 at db:5432, database state, schema provision: TLS, verified; tables of version 2`. */
  note: string
  problems: Problem[]
}

/** Throws a ProvisionError. */
export async function checkPostgres(config: PostgresConfig, env: Env): Promise<DatabaseReport> {
  const address = addressOf(config, env)
  const database = databaseOf(config, env)
  try {
    const { server, tables, notes, problems } = await describeDatabase(database, config.schema)
    const made = tables === 0 ? 'no tables yet; the first start makes them' : `tables of version ${tables}`
    const place = describeAddress(address).replace('PostgreSQL ', `PostgreSQL ${server} at `)
    return {
      note: [`${place}, schema ${config.schema}: ${database.tls()}`, made, ...notes].join('; '),
      problems: [...unencrypted(address), ...problems],
    }
  } finally {
    await database.close()
  }
}

interface Description {
  server: string
  tables: number
  notes: string[]
  problems: Problem[]
}

async function describeDatabase(database: Database, schema: string): Promise<Description> {
  const { rows } = await database.query(
    "SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS standby",
  )
  const server = String(rows[0]?.['version']).split(' ')[0]!
  const tables = await versionOf(database.query, schema, database.name)
  if (rows[0]?.['standby'] === true) {
    const found = problem('STATE_READ_ONLY', `${database.name}: it is a standby (in recovery)`)
    return { server, tables, notes: [], problems: [found] }
  }
  const { hidden } = await lineageColumns(database.query)
  const durability = await durabilityOf(database.query)
  const notes = [standbyNote(durability), hiddenNote(hidden)].filter((note) => note !== undefined)
  const found = lossAllowedBy(durability, database.name)
  return { server, tables, notes, problems: found ? [found] : [] }
}

function hiddenNote(hidden: readonly string[]): string | undefined {
  if (hidden.length === 0) return undefined
  return `it does not show ${hidden.join(', ')}, so lost commits are noticed by the provisioner's own writes alone`
}

// Whether the settings of the server allow that commits which it has confirmed are lost with it.

export interface Durability {
  /** Processes that send the log to standbys now; undefined where this user may not see even their number. */
  standbys?: number
  /** `synchronous_standby_names`; empty: the primary waits for no standby. */
  synchronousNames: string
  /** `synchronous_commit`, as it is for this user and database. */
  synchronousCommit: string
  fsync: boolean
}

/** Everybody may see how many there are, and only `pg_monitor` what they do: one without a state counts. */
export async function durabilityOf(query: Query): Promise<Durability> {
  const { rows } = await query(
    `SELECT current_setting('synchronous_standby_names', true) AS names, current_setting('synchronous_commit', true) AS commit,
       current_setting('fsync', true) AS fsync`,
  )
  const { names, commit, fsync } = rows[0] as Record<string, string | null>
  const standbys = await query(
    `SELECT count(*)::int AS standbys FROM pg_stat_replication r WHERE coalesce(state, 'streaming') <> 'backup'
       AND NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')`,
  ).then(
    ({ rows: found }) => Number(found[0]?.['standbys']),
    () => undefined,
  )
  return {
    ...(standbys !== undefined && { standbys }),
    synchronousNames: names ?? '',
    synchronousCommit: commit ?? 'on',
    fsync: fsync !== 'off',
  }
}

/** Settings of `synchronous_commit` that wait for the disk of a standby, where one is named. */
const waiting = ['on', 'remote_apply', 'remote_write']

/** STATE_MAY_LOSE_COMMITS, with the settings and what they cost; undefined where nothing confirmed can be lost. */
export function lossAllowedBy(
  { standbys = 0, synchronousNames, synchronousCommit, fsync }: Durability,
  server: string,
): Problem | undefined {
  const why: string[] = []
  if (!fsync) why.push('fsync is off: a crash of its machine loses or damages the database')
  if (synchronousCommit === 'off')
    why.push('synchronous_commit is off: a crash loses the commits of the last moments')
  if (standbys > 0 && synchronousNames.trim() === '')
    why.push(
      `${standbys === 1 ? 'a standby is' : `${standbys} standbys are`} connected and synchronous_standby_names is empty: a promoted standby lacks the last commits`,
    )
  else if (
    synchronousNames.trim() !== '' &&
    synchronousCommit !== 'off' &&
    !waiting.includes(synchronousCommit)
  )
    why.push(
      `synchronous_commit is ${synchronousCommit}, so the standbys in synchronous_standby_names are not waited for: a promoted one lacks the last commits`,
    )
  if (why.length === 0) return undefined
  return problem('STATE_MAY_LOSE_COMMITS', `${server}: ${why.join('; ')}`)
}

/** For the note of a check; undefined where there is nothing to add. */
export function standbyNote({ standbys, synchronousNames }: Durability): string | undefined {
  if (standbys === undefined) return 'standbys cannot be seen by this user (GRANT pg_monitor)'
  if (standbys === 0) return undefined
  const waited =
    synchronousNames.trim() === '' ? 'none is waited for' : `synchronous: ${synchronousNames.trim()}`
  return `${standbys === 1 ? 'one standby is' : `${standbys} standbys are`} connected, ${waited}`
}
