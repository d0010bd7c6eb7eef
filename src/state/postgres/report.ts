// What `provision check` reports about the database: connected and read; nothing is changed.
import type { PostgresConfig } from '../../config/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import { addressOf, describeAddress, type Env, unencrypted } from './address.ts'
import { type Database, databaseOf } from './database.ts'
import { lineageColumns } from './lineage.ts'
import { versionOf } from './migrations.ts'
import { durabilityOf, lossAllowedBy, standbyNote } from './replication.ts'

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
