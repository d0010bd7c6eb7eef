// 100 pools on one, two and four provisioners that share a PostgreSQL: what each costs, what the database has to do, and how
// soon another one decides after a leader has stopped answering.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type PostgresCluster, postgresCluster } from '../test/support/postgres-cluster.ts'
import { type SharedCluster, type SharedHost, sharedCluster } from '../test/support/shared-cluster.ts'
import { median, type Report, type Row } from './measure.ts'

const pools = 100
/** Seconds. */
const measureFor = 30
const repetitions = 8
const cli = join(import.meta.dirname, '../dist/cli.cjs')

interface Usage {
  /** Percent of one processor. */
  cpu: number
  /** MiB. */
  rss: number
}

/** Milliseconds of processor time, and MiB (proc_pid_stat(5)). */
function usageOf(host: SharedHost): { cpu: number; rss: number } {
  const folder = `/proc/${host.pid()}`
  const fields = readFileSync(`${folder}/stat`, 'utf8').split(') ')[1]!.split(' ')
  const [, rss = ''] = /VmRSS:\s+(\d+)/.exec(readFileSync(`${folder}/status`, 'utf8')) ?? []
  return { cpu: (Number(fields[11]) + Number(fields[12])) * 10, rss: Number(rss) / 1024 }
}

/** Statements of the program are transactions of their own, but for a few. */
function transactions(database: PostgresCluster): number {
  return Number(
    database.sql("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'postgres'"),
  )
}

async function ledBy(host: SharedHost): Promise<string[]> {
  const status = await host.status().catch(() => undefined)
  return (status?.pools ?? []).flatMap(({ pool, leader }) => (leader?.self ? [pool] : []))
}

async function spread(hosts: SharedHost[]): Promise<void> {
  const share = Math.floor(pools / hosts.length)
  for (const until = Date.now() + 1_200_000; ; await sleep(2_000)) {
    const counts = await Promise.all(hosts.map(async (host) => (await ledBy(host)).length))
    if (counts.every((count) => Math.abs(count - share) <= 1)) return
    if (Date.now() > until) throw new Error(`the pools did not spread: ${counts.join()}`)
  }
}

async function usageWhile(hosts: SharedHost[], act: () => void): Promise<Usage[]> {
  const before = hosts.map(usageOf)
  const from = Date.now()
  while (Date.now() - from < measureFor * 1_000) {
    act()
    await sleep(250)
  }
  const lasted = Date.now() - from
  return hosts.map((host, n) => {
    const { cpu, rss } = usageOf(host)
    return { cpu: ((cpu - before[n]!.cpu) / lasted) * 100, rss }
  })
}

/** Each quarter of a second a job begins and an older one ends. */
function load(cluster: SharedCluster): () => void {
  const jobs: string[] = []
  let n = 0
  return () => {
    jobs.push(cluster.submit(cluster.pools[n++ % pools]!))
    if (jobs.length > 60) cluster.finish(jobs.shift()!)
  }
}

async function withHosts<T>(
  count: number,
  act: (cluster: SharedCluster, hosts: SharedHost[], database: PostgresCluster) => Promise<T>,
): Promise<T> {
  const database = await postgresCluster()
  const cluster = await sharedCluster({ cli, url: database.url(), schema: 'bench', pools, most: 2 })
  try {
    const hosts = Array.from({ length: count }, (_, n) => cluster.host(`host-${n}`))
    for (const host of hosts) host.start()
    await spread(hosts)
    return await act(cluster, hosts, database)
  } finally {
    await cluster.dispose()
    await database.dispose()
  }
}

function costs(count: number): Promise<Row[]> {
  return withHosts(count, async (cluster, hosts, database) => {
    const rows: Row[] = []
    for (const [name, budget, act] of [
      ['idle', 20, () => {}],
      ['busy', 200, load(cluster)],
    ] as const) {
      const before = transactions(database)
      const usages = await usageWhile(hosts, act)
      const rate = (transactions(database) - before) / measureFor
      const list = (of: (usage: Usage) => number) => usages.map((usage) => of(usage).toFixed(0)).join(', ')
      const what = `${pools} pools, ${name}, on ${count} provisioner${count > 1 ? 's' : ''}`
      rows.push({ what: `${what}: processor of each, %`, measured: list(({ cpu }) => cpu), budget: '' })
      rows.push({ what: `${what}: memory of each, MiB`, measured: list(({ rss }) => rss), budget: '' })
      rows.push({
        what: `${what}: transactions a second`,
        measured: rate.toFixed(1),
        budget: `≤ ${budget}`,
        met: rate <= budget,
      })
    }
    return rows
  })
}

/**
 * Milliseconds from the suspension of a leader to the launch of another one for a job that came at that moment. On one machine a
 * process that was killed counts as gone at once; one that is suspended does not.
 */
function takeOvers(): Promise<number[]> {
  return withHosts(2, async (cluster, hosts) => {
    const times: number[] = []
    for (let n = 0; n < repetitions; n++) {
      const victim = hosts[n % 2]!
      // The instance of an earlier repetition stays for a while, and would run the job.
      const pool = (await ledBy(victim)).find((one) => cluster.live(one).length === 0)
      if (pool === undefined) throw new Error(`${victim.name} leads no pool without instances`)
      victim.signal('SIGSTOP')
      const from = Date.now()
      const job = cluster.submit(pool)
      while (cluster.live(pool).length === 0) {
        if (Date.now() - from > 60_000) throw new Error(`nobody launched for ${pool}`)
        await sleep(20)
      }
      times.push(Date.now() - from)
      cluster.finish(job)
      victim.signal('SIGCONT')
      while ((await ledBy(hosts[(n + 1) % 2]!)).length === 0) await sleep(1_000)
    }
    return times
  })
}

export async function sharedCosts(): Promise<Report> {
  if (!existsSync(cli))
    execFileSync('npm', ['run', '--silent', 'build'], {
      cwd: join(import.meta.dirname, '..'),
      stdio: 'inherit',
    })
  const rows: Row[] = []
  for (const count of [1, 2, 4]) rows.push(...(await costs(count)))
  const times = await takeOvers()
  const [middle, worst] = [median(times) / 1_000, Math.max(...times) / 1_000]
  rows.push({
    what: `a leader is suspended → another launches for one of its pools, median of ${repetitions}`,
    measured: `${middle.toFixed(1)} s`,
    budget: '≤ 10 s',
    met: middle <= 10,
  })
  rows.push({
    what: 'the same, worst',
    measured: `${worst.toFixed(1)} s`,
    budget: '≤ 15 s',
    met: worst <= 15,
  })
  return {
    title: 'Several provisioners',
    command: 'npm run bench shared',
    rows,
    notes: [
      `Processes of the built program on one machine with PostgreSQL, a fake EC2 and a fake Determined master. Busy: four jobs begin and four end each second. The job comes at the moment of the suspension.`,
    ],
  }
}
