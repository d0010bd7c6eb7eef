// A PostgreSQL of our own in a temporary folder, on loopback and on a UNIX socket, as a user that is not root.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

export interface PostgresCluster {
  port: number
  /** Of the UNIX socket, and for files that the server reads. */
  folder: string
  user: string
  password: string
  /** By TCP, with the password; `database` must exist. */
  url(database?: string): string
  start(): Promise<void>
  isUp(): boolean
  /** As a crash: nothing is written down. */
  crash(): Promise<void>
  /** SIGSTOP and SIGCONT for every process of the server. */
  freeze(): void
  thaw(): void
  /** A line of postgresql.conf, in force from the next start or reload. */
  set(line: string): void
  reload(): void
  /** Runs SQL as the superuser by psql; returns the rows. */
  sql(text: string, database?: string): string
  /** The user of the server, for spawn. */
  as: { uid?: number; gid?: number }
  /** Makes the server's own file readable to it. */
  give(file: string): void
  dispose(): Promise<void>
}

/** A hot standby, which replicates asynchronously. */
export interface PostgresStandby extends PostgresCluster {
  /** It gets no more of the log of its primary. */
  detach(): Promise<void>
  /** It becomes a primary; resolves when it can be written. */
  promote(): Promise<void>
}

export interface ClusterOptions {
  /** Run by a shell before the server, such as `ulimit -f 4096`. */
  before?: string
  /** Of initdb, in addition. */
  initdb?: string[]
}

/** Where the programs are: Debian has them outside of PATH. Throws where there are none. */
export function postgresPrograms(): string {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ]
  const found = folders.find((folder) => existsSync(join(folder, 'initdb')))
  if (found) return found
  throw new Error('initdb was not found: install the package postgresql')
}

/** initdb refuses root. */
function otherUser(): { uid?: number; gid?: number } {
  if (process.geteuid?.() !== 0) return {}
  const of = (user: string) => {
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: 'pipe' })),
    )
    return { uid: uid!, gid: gid! }
  }
  try {
    return of('postgres')
  } catch {
    return of('nobody')
  }
}

function giveTo({ uid, gid }: { uid?: number; gid?: number }, file: string): void {
  if (uid !== undefined) chownSync(file, uid, gid!)
}

const password = 'a:pass word@/%'

export async function postgresCluster({
  before = ':',
  initdb = [],
}: ClusterOptions = {}): Promise<PostgresCluster> {
  const programs = postgresPrograms()
  const folder = mkdtempSync(join(tmpdir(), 'pg-'))
  const data = join(folder, 'data')
  const as = otherUser()
  const give = (file: string) => giveTo(as, file)
  give(folder)
  const pwfile = join(folder, 'pwfile')
  writeFileSync(pwfile, `${password}\n`, { mode: 0o600 })
  give(pwfile)
  execFileSync(
    join(programs, 'initdb'),
    [
      '-D',
      data,
      '-U',
      'provision',
      '-A',
      'scram-sha-256',
      '--auth-local=trust',
      `--pwfile=${pwfile}`,
      '-N',
      '-E',
      'UTF8',
      '--locale=C',
      ...initdb,
    ],
    { ...as, stdio: 'pipe', cwd: folder },
  )
  const port = await freePort()
  appendFileSync(
    join(data, 'postgresql.conf'),
    `listen_addresses = '127.0.0.1'\nport = ${port}\nunix_socket_directories = '${folder}'\nshared_buffers = 16MB\nlog_timezone = 'UTC'\n`,
  )
  const cluster = clusterIn(folder, { port, before, isReady: 'ready to accept connections' })
  await cluster.start()
  return cluster
}

/** A copy of the primary as it is now, that follows it. */
export async function postgresStandby(primary: PostgresCluster): Promise<PostgresStandby> {
  const { as, give, user } = primary
  const folder = mkdtempSync(join(tmpdir(), 'pg-'))
  give(folder)
  const from = ['-h', primary.folder, '-p', String(primary.port), '-U', user]
  const data = join(folder, 'data')
  execFileSync(join(postgresPrograms(), 'pg_basebackup'), [...from, '-D', data, '-R', '-c', 'fast'], {
    ...as,
    stdio: 'pipe',
    cwd: folder,
  })
  const port = await freePort()
  appendFileSync(join(data, 'postgresql.conf'), `port = ${port}\nunix_socket_directories = '${folder}'\n`)
  const isReady = 'ready to accept read-only connections'
  const cluster = clusterIn(folder, { port, before: ':', isReady })
  const until = async (condition: string, of = cluster) => {
    while (of.sql(`SELECT ${condition}`) !== 't') await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await cluster.start()
  await until('count(*) = 1 FROM pg_stat_replication', primary)
  return {
    ...cluster,
    async detach() {
      cluster.sql("ALTER SYSTEM SET primary_conninfo = ''")
      cluster.reload()
      await until('count(*) = 0 FROM pg_stat_wal_receiver')
    },
    async promote() {
      cluster.sql('SELECT pg_promote()')
      await until('NOT pg_is_in_recovery()')
    },
  }
}

/** Of the folder that was made for it. */
function clusterIn(
  folder: string,
  { port, before, isReady }: { port: number; before: string; isReady: string },
): PostgresCluster {
  const programs = postgresPrograms()
  const data = join(folder, 'data')
  const config = join(data, 'postgresql.conf')
  const as = otherUser()
  let server: ChildProcess | undefined

  const cluster: PostgresCluster = {
    port,
    folder,
    user: 'provision',
    password,
    url: (database = 'postgres') =>
      `postgresql://provision:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`,
    async start() {
      const child = spawn(
        'bash',
        ['-c', `${before}; exec "$@"`, 'bash', join(programs, 'postgres'), '-D', data],
        {
          ...as,
          cwd: folder,
          stdio: ['ignore', 'ignore', 'pipe'],
        },
      )
      server = child
      let log = ''
      child.stderr!.on('data', (part) => (log += part))
      const exited = once(child, 'exit').then(() => {
        throw new Error(`PostgreSQL ended: ${log}`)
      })
      exited.catch(() => {})
      while (!log.includes(isReady))
        await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 20))])
    },
    isUp: () => server !== undefined && server.exitCode === null,
    crash: () => end('SIGQUIT'),
    freeze: () => signalAll('-STOP'),
    thaw: () => signalAll('-CONT'),
    set: (line) => appendFileSync(config, `${line}\n`),
    reload: () => void server?.kill('SIGHUP'),
    sql: (text, database = 'postgres') =>
      execFileSync(
        join(programs, 'psql'),
        [
          '-h',
          folder,
          '-p',
          String(port),
          '-U',
          'provision',
          '-d',
          database,
          '-AtXq',
          '-v',
          'ON_ERROR_STOP=1',
          '-c',
          text,
        ],
        { encoding: 'utf8', stdio: 'pipe', cwd: folder },
      ).trim(),
    as,
    give: (file) => giveTo(as, file),
    async dispose() {
      signalAll('-CONT')
      await end('SIGQUIT')
      rmSync(folder, { recursive: true, force: true })
    },
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const child = server
    server = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  /** Each process of the server has a group of its own. */
  function signalAll(signal: string): void {
    const parent = server?.pid
    if (parent === undefined) return
    const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(parent)], { encoding: 'utf8' })
      .trim()
      .split(/\s+/)
    for (const pid of [String(parent), ...children.filter(Boolean)])
      try {
        process.kill(Number(pid), signal === '-STOP' ? 'SIGSTOP' : 'SIGCONT')
      } catch {}
  }

  return cluster
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
