// Two provisioners that share a state in a real PostgreSQL: each answers for the pools of both, and takes orders for them.
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { ask } from '../../support/ask.ts'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import { databaseOf } from '../../support/postgres-database.ts'
import {
  launchedTwice,
  type SharedCluster,
  type SharedHost,
  sharedCluster,
} from '../../support/shared-cluster.ts'

let database: PostgresCluster
let cluster: SharedCluster
let hosts: SharedHost[]
beforeAll(async () => {
  database = await postgresCluster()
  cluster = await sharedCluster({ cli: inject('cli'), url: database.url(), schema: 'shared', pools: 2 })
  hosts = ['a', 'b'].map((name) => cluster.host(name))
})
afterAll(async () => {
  await cluster?.dispose()
  await database?.dispose()
})

const within = { timeout: 60_000, interval: 500 }
const socketOf = ({ dir }: SharedHost) => ({ socketPath: `${dir}/own/control.sock` })

async function states(host: SharedHost): Promise<string[]> {
  const { pools } = await host.status().catch(() => ({ pools: [] }))
  return pools
    .toSorted((one, other) => (one.pool < other.pool ? -1 : 1))
    .map(({ state, leader }) => `${state} ${leader ? (leader.self ? 'self' : 'other') : 'nobody'}`)
}

/** The pool that the first host leads, and the one that the second leads. */
async function led(): Promise<[string, string]> {
  const { pools } = await hosts[0]!.status()
  const of = (isSelf: boolean) => pools.find(({ leader }) => leader?.self === isSelf)!.pool
  return [of(true), of(false)]
}

async function instances(
  host: SharedHost,
): Promise<{ id: string; pool: string; agent: string; doing?: string }[]> {
  return (await ask('GET', '/v1/instances', socketOf(host))).value.instances
}

describe('two provisioners', () => {
  it('spread the pools, and each says who leads which', async () => {
    hosts[0]!.start()
    await expect.poll(() => states(hosts[0]!), within).toEqual(['ok self', 'ok self'])
    hosts[1]!.start()
    // Each leads one pool, once the work is spread.
    await expect
      .poll(async () => [await states(hosts[0]!), await states(hosts[1]!)].map((of) => of.toSorted()), within)
      .toEqual([
        ['ok other', 'ok self'],
        ['ok other', 'ok self'],
      ])
  }, 120_000)

  it('launch for each other, show the same, and explain it', async () => {
    const [own, far] = await led()
    for (const pool of [own, far]) await hosts[0]!.command('launch', '1', '--pool', pool)
    for (const host of hosts)
      await expect
        .poll(async () => (await instances(host)).map(({ pool, agent }) => `${pool} ${agent}`).sort(), within)
        .toEqual([`${own} joined`, `${far} joined`].sort())
    expect(await hosts[0]!.command('explain', far)).toContain(`pool ${far} at`)
    expect(await hosts[0]!.command('logs', '--pool', far)).toContain('launched')
    expect(await hosts[0]!.command('agents', '--pool', far)).toContain('idle')
  })

  it('pause and resume each other’s pools, and refuse what the leader refuses', async () => {
    const [, far] = await led()
    await hosts[0]!.command('pause', far)
    for (const host of hosts)
      expect((await host.status()).pools.find(({ pool }) => pool === far)!.state).toBe('paused')
    await expect(hosts[0]!.command('launch', '1', '--pool', far)).rejects.toThrow(/PAUSED/)
    await hosts[0]!.command('resume', far)
    await expect(hosts[0]!.command('launch', '99', '--pool', far)).rejects.toThrow(/MAX_REACHED/)
  })

  it('terminate instances of both in one order', async () => {
    const ids = (await instances(hosts[0]!)).map(({ id }) => id)
    expect(ids).toHaveLength(2)
    const unknown = await ask('POST', '/v1/instances/drain', socketOf(hosts[0]!), { ids: [...ids, 'i-0'] })
    expect(unknown).toMatchObject({ status: 404, value: { error: { code: 'INSTANCE_UNKNOWN' } } })
    const done = await ask('POST', '/v1/instances/terminate', socketOf(hosts[0]!), { ids, force: true })
    expect(done).toMatchObject({ status: 200 })
    expect(done.value.ids.sort()).toEqual(ids.sort())
    await expect.poll(() => cluster.live(), within).toEqual([])
  })

  it('show orphans at both, and adopt them', async () => {
    for (const host of hosts) {
      expect(await ask('GET', '/v1/orphans', socketOf(host))).toEqual({
        status: 200,
        value: { orphans: [], problems: [] },
      })
      expect(await ask('POST', '/v1/orphans/adopt', socketOf(host))).toEqual({
        status: 200,
        value: { writers: [] },
      })
    }
  })

  it('carry an order for a stopped leader out once or not at all, as the reply says', async () => {
    const [, far] = await led()
    hosts[1]!.signal('SIGSTOP')
    const reply = await ask('POST', `/v1/pools/${far}/launch`, socketOf(hosts[0]!), { count: 1 })
    // The next leader waits for its first listing. On a very slow machine there is none in time.
    if (reply.status !== 200)
      expect(reply).toMatchObject({ status: 504, value: { error: { code: 'ORDER_UNANSWERED' } } })
    hosts[1]!.signal('SIGCONT')
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    expect(cluster.live(far).length).toBe(reply.status === 200 ? 1 : 0)
    expect([...launchedTwice(cluster), ...cluster.violations]).toEqual([])
  }, 60_000)

  it('keep few rows: a view for each pool and the orphans', async () => {
    const connection = databaseOf(database)
    const { rows } = await connection.query('SELECT name FROM shared.views ORDER BY name')
    expect(rows.map(({ name }) => name)).toEqual(['orphans', 'pool/pool-0', 'pool/pool-1'])
    await connection.close()
  })
})
