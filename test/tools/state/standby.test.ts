// A primary with a standby: what the check says about them, and that a standby is never written to.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { SecretText } from '../../../src/platform/secret-text.ts'
import type { Query } from '../../../src/state/postgres/database.ts'
import { lineageColumns, lineageIn } from '../../../src/state/postgres/lineage.ts'
import { openPostgresStore } from '../../../src/state/postgres/open.ts'
import { checkPostgres } from '../../../src/state/postgres/report.ts'
import {
  type PostgresCluster,
  type PostgresStandby,
  postgresCluster,
  postgresStandby,
} from '../../support/postgres-cluster.ts'
import { databaseOf } from '../../support/postgres-database.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let primary: PostgresCluster
let standby: PostgresStandby
beforeAll(async () => {
  primary = await postgresCluster()
  primary.sql("CREATE ROLE plain LOGIN PASSWORD 'plain'; CREATE SCHEMA plain AUTHORIZATION plain")
  standby = await postgresStandby(primary)
})
afterAll(async () => {
  await standby.dispose()
  await primary.dispose()
})

const plain = ({ port }: PostgresCluster) => `postgresql://plain:plain@127.0.0.1:${port}/postgres`

async function check(url: string): Promise<{ note: string; found: string[] }> {
  const config = { type: 'postgres', schema: 'plain', url: new SecretText(url) } as const
  const { note, problems } = await checkPostgres(config, {})
  return { note, found: problems.map(({ code, message }) => `${code} ${message}`) }
}

it('the check warns of a standby that is not waited for, also a user without rights', async () => {
  for (const url of [primary.url(), plain(primary)])
    expect(await check(url)).toEqual({
      note: expect.stringMatching(/; one standby is connected, none is waited for$/),
      found: [
        expect.stringMatching(
          /^STATE_MAY_LOSE_COMMITS .*: a standby is connected and synchronous_standby_names is empty/,
        ),
      ],
    })
  primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
  primary.reload()
  await expect.poll(() => primary.sql('SHOW synchronous_standby_names')).toBe('*')
  expect(await check(plain(primary))).toEqual({
    note: expect.stringMatching(/; one standby is connected, synchronous: \*$/),
    found: [],
  })
  primary.sql('ALTER ROLE plain SET synchronous_commit = local')
  expect((await check(plain(primary))).found).toEqual([
    expect.stringContaining('synchronous_commit is local'),
  ])
  primary.sql('ALTER ROLE plain SET synchronous_commit = off')
  expect((await check(plain(primary))).found).toEqual([expect.stringContaining('synchronous_commit is off')])
  primary.sql('ALTER ROLE plain RESET synchronous_commit')
})

it('a service that forbids its functions is noted, and used', async () => {
  primary.sql('REVOKE EXECUTE ON FUNCTION pg_control_system(), pg_walfile_name(pg_lsn) FROM PUBLIC')
  expect((await check(plain(primary))).note).toMatch(
    /; it does not show the system identifier \(pg_control_system\), the timeline \(pg_walfile_name\), so lost commits are noticed by/,
  )
  primary.sql('GRANT EXECUTE ON FUNCTION pg_control_system(), pg_walfile_name(pg_lsn) TO PUBLIC')
})

it('a standby is refused by name, by the check and by a start; promoted, it is another timeline at once', async () => {
  const [dir] = [mkdtempSync(join(tmpdir(), 'standby-'))]
  const config = { type: 'postgres', schema: 'plain', url: new SecretText(plain(standby)) } as const
  const store = openPostgresStore(config, {
    stateDir: dir,
    clock: systemClock,
    logger: silentLogger,
    env: {},
  })
  const hold = () => store.hold({ onLost() {} })
  expect((await check(plain(standby))).found).toEqual([
    expect.stringMatching(/^STATE_READ_ONLY .*: it is a standby/),
  ])
  await expect(hold()).rejects.toThrow(/STATE_READ_ONLY.*read-only transaction \(25006\)/)
  const [here, there] = [databaseOf(primary), databaseOf(standby)]
  const lineageOf = async (query: Query) => {
    const { sql } = await lineageColumns(query)
    return lineageIn((await query(`SELECT ${sql}`)).rows[0])
  }
  const before = await lineageOf(here.query)
  await standby.promote()
  const after = await lineageOf(there.query)
  expect([before.timeline, after.timeline, after.system]).toEqual([1, 2, before.system])
  await (await hold())()
  await Promise.all([store.close(), here.close(), there.close()])
  rmSync(dir, { recursive: true })
})
