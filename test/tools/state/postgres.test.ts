// The state contract on a real PostgreSQL: several processes, crashes of both sides, a full disk.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { openStateStore, type StateConfig } from '../../../src/state/open.ts'
import type { StateStore } from '../../../src/state/store.ts'
import { describeStateContract } from '../../contract/state-contract.ts'
import type { StateHarness } from '../../contract/state-harness.ts'
import { inTables, slowInserts } from '../../contract/state-tables.ts'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import { databaseOf } from '../../support/postgres-database.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let running: Promise<PostgresCluster> | undefined
const ended: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const end of ended) await end()
  await (await running)?.dispose()
})
let count = 0

describeStateContract('PostgreSQL', {
  can: ['processes', 'tears', 'fills', 'slows', 'disconnects', 'fences'],
  async open(): Promise<StateHarness> {
    running ??= postgresCluster()
    const cluster = await running
    const root = mkdtempSync(join(tmpdir(), 'state-postgres-'))
    const schema = `Odd "name" ${++count}`
    const database = databaseOf(cluster)
    const opened: StateStore[] = []
    const configOf = (dir: string, of = cluster): StateConfig => {
      mkdirSync(join(root, dir), { mode: 0o700 })
      writeFileSync(join(root, dir, 'url'), `${of.url()}\n`)
      return {
        state_dir: join(root, dir),
        state: { type: 'postgres', url_file: join(root, dir, 'url'), schema },
      }
    }
    const own = configOf('own')
    return {
      async open(clock = systemClock) {
        const store = await openStateStore(own, { clock, logger: silentLogger, env: {} })
        opened.push(store)
        return store
      },
      ...inTables((sql, values) => database.query(sql, values), schema),
      settings: { config: configOf('of-child') },
      freeAfter: 20_000,
      async small() {
        // No file of the server may be larger than 4 MiB; the segments of its log are smaller.
        const full = await postgresCluster({ before: 'ulimit -f 4096', initdb: ['--wal-segsize=1'] })
        ended.push(full.dispose)
        return { settings: { config: configOf('full', full) }, before: ':' }
      },
      async slow(ms) {
        return slowInserts((sql) => database.query(sql), { schema }, ms)
      },
      async disconnect() {
        await cluster.crash()
        return cluster.start
      },
      async dispose() {
        for (const store of opened) await store.close()
        await database.close()
        rmSync(root, { recursive: true, force: true })
      },
    }
  },
})
