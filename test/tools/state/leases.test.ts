// The lease contract on a real PostgreSQL: each provisioner has connections of its own, some are processes of their own.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { openStateStore, type StateConfig } from '../../../src/state/open.ts'
import type { StateStore } from '../../../src/state/store.ts'
import { describeLeaseContract } from '../../contract/lease-contract.ts'
import type { LeaseHarness } from '../../contract/lease-harness.ts'
import { leasesInTables } from '../../contract/lease-tables.ts'
import { slowInserts } from '../../contract/state-tables.ts'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import { databaseOf } from '../../support/postgres-database.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let running: Promise<PostgresCluster> | undefined
afterAll(async () => (await running)?.dispose())
let count = 0

describeLeaseContract('PostgreSQL', {
  can: ['journals', 'forgets', 'sessions', 'processes'],
  async open(): Promise<LeaseHarness> {
    running ??= postgresCluster()
    const cluster = await running
    const root = mkdtempSync(join(tmpdir(), 'leases-'))
    const schema = `Leases "of" ${++count}`
    const database = databaseOf(cluster)
    const opened: { store: StateStore; release?: () => void | Promise<void> }[] = []
    let hosts = 0

    function host(): StateConfig {
      const state_dir = join(root, `host-${++hosts}`)
      mkdirSync(state_dir, { mode: 0o700 })
      const url_file = join(state_dir, 'url')
      writeFileSync(url_file, `${cluster.url()}\n`)
      return { state_dir, state: { type: 'postgres', url_file, schema } }
    }
    async function open(clock = systemClock): Promise<StateStore> {
      const store = await openStateStore(host(), { clock, logger: silentLogger, env: {} })
      opened.push({ store })
      return store
    }
    return {
      async connect(clock) {
        const store = await open(clock)
        const release = await store.hold({ onLost() {} })
        opened.push({ store, release })
        return store.leases!
      },
      open,
      slow: (table, ms) => slowInserts((sql) => database.query(sql), { schema, table }, ms),
      settings: () => ({ config: host() }),
      ...leasesInTables(database.query, schema),
      async dispose() {
        for (const { store, release } of opened) {
          await release?.()
          await store.close()
        }
        await database.close()
        rmSync(root, { recursive: true, force: true })
      },
    }
  },
})
