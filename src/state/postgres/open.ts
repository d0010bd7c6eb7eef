// From the configuration to a store in PostgreSQL, and what `provision check` reports about it.
import { join } from 'node:path'
import about from '../../../package.json' with { type: 'json' }
import type { PostgresConfig } from '../../config/index.ts'
import { tellProblems } from '../../platform/index.ts'
import { readClusterFile } from '../folder/cluster-file.ts'
import { holdStateFolder } from '../folder/hold.ts'
import type { StateSurroundings } from '../open.ts'
import type { StateStore } from '../store.ts'
import { addressOf, type Env, unencrypted } from './address.ts'
import { databaseOf } from './database.ts'
import { lineageFile } from './lineage.ts'
import { migrateBack, newestVersion } from './migrations.ts'
import { postgresStore } from './postgres-store.ts'

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
    lineageFile: lineageFile(join(stateDir, 'lineage.json'), logger),
    async holdMachine({ onLost }) {
      tellProblems(logger, warnings)
      return holdStateFolder({ ...surroundings, stateDir, onLost })
    },
  })
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
