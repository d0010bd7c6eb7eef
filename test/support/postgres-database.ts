// Connections to a cluster of our own.
import { SecretText } from '../../src/platform/secret-text.ts'
import { addressOf } from '../../src/state/postgres/address.ts'
import { type Database, postgresDatabase } from '../../src/state/postgres/database.ts'
import type { PostgresCluster } from './postgres-cluster.ts'

export function databaseOf(cluster: PostgresCluster): Database {
  const url = new SecretText(cluster.url())
  return postgresDatabase(() => addressOf({ type: 'postgres', schema: 'provision', url }, {}))
}
