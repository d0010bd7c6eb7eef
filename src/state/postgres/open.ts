// From the configuration to a store in PostgreSQL, and what `provision check` reports about it.
import about from '../../../package.json' with { type: 'json' }
import type { PostgresConfig } from '../../config/index.ts'
import { tellProblems } from '../../platform/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import { readClusterFile } from '../folder/cluster-file.ts'
import { holdStateFolder } from '../folder/hold.ts'
import type { StateSurroundings } from '../open.ts'
import type { StateStore } from '../store.ts'
import { type Address, addressOf, describeAddress, type Env } from './address.ts'
import { type Database, postgresDatabase } from './database.ts'
import { migrateBack, newestVersion } from './migrations.ts'
import { describeDatabase, postgresStore } from './postgres-store.ts'

/** Throws STATE_URL_INVALID. `stateDir` stays the folder of the process: its lock, socket and token. */
export function openPostgresStore(
  config: PostgresConfig,
  { stateDir, ...surroundings }: StateSurroundings & { stateDir: string },
): StateStore {
  const { env, logger } = surroundings
  const warnings = unencrypted(addressOf(config, env))
  return postgresStore({
    ...surroundings,
    database: databaseOf(config, env),
    schema: config.schema,
    program: about.version,
    earlier: () => readClusterFile(stateDir),
    async holdMachine({ onLost }) {
      tellProblems(logger, warnings)
      return holdStateFolder({ ...surroundings, stateDir, onLost })
    },
  })
}

function databaseOf(config: PostgresConfig, env: Env): Database {
  return postgresDatabase(() => addressOf(config, env))
}

function unencrypted(address: Address): Problem[] {
  const { tls, isLocal } = address
  if (tls === 'verified' || isLocal) return []
  const what = tls === 'off' ? 'the connection is not encrypted' : 'the certificate is not verified'
  return [problem('STATE_UNENCRYPTED', `${describeAddress(address)}: ${what}`)]
}

export interface DatabaseReport {
  /** Such as `PostgreSQL 15.4 at db:5432, database state, schema provision: TLS, verified; tables of version 2`. */
  note: string
  problems: Problem[]
}

/** Connects and reads; changes nothing. Throws a ProvisionError. */
export async function checkPostgres(config: PostgresConfig, env: Env): Promise<DatabaseReport> {
  const address = addressOf(config, env)
  const database = databaseOf(config, env)
  try {
    const { server, tables } = await describeDatabase({ database, schema: config.schema })
    const made = tables === 0 ? 'no tables yet; the first start makes them' : `tables of version ${tables}`
    const place = describeAddress(address).replace('PostgreSQL ', `PostgreSQL ${server} at `)
    return {
      note: `${place}, schema ${config.schema}: ${database.tls()}; ${made}`,
      problems: unencrypted(address),
    }
  } finally {
    await database.close()
  }
}

/** For the program before this one. Returns a sentence. Throws a ProvisionError. */
export async function stepBack(config: PostgresConfig, env: Env): Promise<string> {
  const database = databaseOf(config, env)
  try {
    const version = await migrateBack(database, config.schema)
    return `the tables of ${database.name}, schema ${config.schema}, have version ${version} now (this program: ${newestVersion})`
  } finally {
    await database.close()
  }
}
