// Connections to PostgreSQL: a few, made when they are needed, each call with a deadline. Nothing is kept in a session, so
// that a pooler in transaction mode is no different.
import { readFileSync } from 'node:fs'
import type { Client } from 'pg'
import type { PostgresConfig } from '../../config/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import { type Address, addressOf, describeAddress, type Env } from './address.ts'
import { failureOf } from './failures.ts'

export type Value =
  | string
  | number
  | null
  | readonly string[]
  | readonly number[]
  | readonly (string | null)[]

export interface Answer {
  rows: Record<string, unknown>[]
  /** Rows that were changed, or found. */
  count: number
}

export type Query = (sql: string, values?: readonly Value[]) => Promise<Answer>

/** What the adapter needs of a database. Every call that fails throws a ProvisionError that names the server. */
export interface Database {
  /** As people know it, without the password. */
  readonly name: string
  /** One statement, committed by itself. `deadline`: milliseconds for it, with the connection. */
  query(sql: string, values?: readonly Value[], deadline?: number): Promise<Answer>
  /** The same, ahead of all others that wait for a connection. */
  urgent(sql: string, values?: readonly Value[]): Promise<Answer>
  /** All or nothing. */
  transaction<T>(work: (query: Query) => Promise<T>, deadline?: number): Promise<T>
  /** Encrypted and verified, or why not; undefined before a connection. */
  tls(): string | undefined
  close(): Promise<void>
}

/** Enough for the journals of many pools to be written at once, and few for the server. */
const mostConnections = 4
/** Of these, for urgent calls alone: a renewal of leases that waits for the journals of many pools would come too late. */
const reserved = 1
/** Milliseconds. */
export const callDeadline = 5_000
const idleTime = 30_000
/** The server ends a transaction whose client is suspended or cut off: its locks would stop everybody for hours. */
const begin = `BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${callDeadline}`
const closingTime = 1_000

/** Connects at the first call. Throws STATE_URL_INVALID only then. */
export function databaseOf(config: PostgresConfig, env: Env): Database {
  return postgresDatabase(() => addressOf(config, env))
}

/** Connects at the first call. `address` is called for each connection. */
export function postgresDatabase(address: () => Address): Database {
  const idle: Connection[] = []
  const waiting: (() => void)[] = []
  const open = new Set<Connection>()
  let name = 'PostgreSQL'
  let tls: string | undefined
  let used = 0
  let closed = false

  /** A free connection, or a new one once there may be another. */
  async function take(isUrgent: boolean): Promise<Connection> {
    const most = isUrgent ? mostConnections : mostConnections - reserved
    while (used >= most)
      await new Promise<void>((resolve) => (isUrgent ? waiting.unshift(resolve) : waiting.push(resolve)))
    if (closed) throw new ProvisionError(problem('STATE_UNREACHABLE', `${name}: it was closed`))
    used++
    try {
      return idle.pop() ?? (await connect())
    } catch (error) {
      release()
      throw error
    }
  }

  function release(): void {
    used--
    waiting.shift()?.()
  }

  async function connect(): Promise<Connection> {
    const at = address()
    name = describeAddress(at)
    const connection = await openConnection(at)
    tls = connection.tls
    open.add(connection)
    void connection.ended.then(() => {
      open.delete(connection)
      const at = idle.indexOf(connection)
      if (at >= 0) idle.splice(at, 1)
    })
    return connection
  }

  /** Nothing is known about a call that was not answered in time: its connection is cut, and used no more. */
  async function call<T>(deadline: number, work: (query: Query) => Promise<T>, isUrgent = false): Promise<T> {
    let connection: Connection | undefined
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      connection?.cut()
      late.reject(new Error(`no answer within ${Math.round(deadline / 1000)} s`))
    }, deadline)
    let isLate = false
    late.promise.catch(() => (isLate = true))
    const taking = take(isUrgent)
    try {
      const taken = await Promise.race([taking, late.promise])
      connection = taken
      const result = await Promise.race([work(taken.query), late.promise])
      giveBack(taken)
      return result
    } catch (error) {
      if (connection) discard(connection)
      else if (isLate) void taking.then(giveBack, () => {})
      throw failureOf(error, name)
    } finally {
      clearTimeout(timer)
    }
  }

  function giveBack(connection: Connection): void {
    if (closed || !open.has(connection)) connection.cut()
    else {
      idle.push(connection)
      connection.closeAfter(idleTime, () => idle.includes(connection))
    }
    release()
  }

  function discard(connection: Connection): void {
    connection.cut()
    release()
  }

  return {
    get name() {
      return name === 'PostgreSQL' ? nameOf(address) : name
    },
    query: (sql, values, deadline = callDeadline) => call(deadline, (query) => query(sql, values)),
    urgent: (sql, values) => call(callDeadline, (query) => query(sql, values), true),
    transaction: (work, deadline = callDeadline) =>
      call(deadline, async (query) => {
        await query(begin)
        try {
          const result = await work(query)
          await query('COMMIT')
          return result
        } catch (error) {
          await query('ROLLBACK').catch(() => {})
          throw error
        }
      }),
    tls: () => tls,
    async close() {
      closed = true
      await Promise.all([...open].map((connection) => connection.close()))
    },
  }
}

function nameOf(address: () => Address): string {
  try {
    return describeAddress(address())
  } catch {
    return 'PostgreSQL'
  }
}

interface Connection {
  query: Query
  tls: string
  ended: Promise<void>
  /** At once, whatever is in progress. */
  cut(): void
  close(): Promise<void>
  /** If it is still unused then. */
  closeAfter(ms: number, isUnused: () => boolean): void
}

async function openConnection(address: Address): Promise<Connection> {
  const { Client } = await import('pg')
  const { host, port, user, database, password } = address
  const client = new Client({
    host,
    port,
    user,
    database,
    // Otherwise PGPASSWORD of the process; then pg looks into the password file.
    ...(password !== undefined && { password }),
    ssl: tlsOptions(address),
    application_name: 'provision',
    connectionTimeoutMillis: callDeadline,
    keepAlive: true,
  })
  const ended = new Promise<void>((resolve) => client.once('end', resolve))
  // A connection that breaks while nothing is asked of it.
  client.on('error', () => cut(client))
  try {
    await client.connect()
  } catch (error) {
    cut(client)
    throw error
  }
  let timer: NodeJS.Timeout | undefined
  return {
    tls: shownTls(address),
    ended,
    cut: () => cut(client),
    async query(sql, values = []) {
      clearTimeout(timer)
      const { rows, rowCount } = await client.query(sql, [...values])
      return { rows, count: rowCount ?? rows?.length ?? 0 }
    },
    async close() {
      clearTimeout(timer)
      // The server may be gone, or hang.
      const patience = setTimeout(() => cut(client), closingTime)
      await client.end().catch(() => {})
      clearTimeout(patience)
    },
    closeAfter(ms, isUnused) {
      clearTimeout(timer)
      timer = setTimeout(() => {
        if (isUnused()) cut(client)
      }, ms)
      timer.unref()
    },
  }
}

/** `end` waits for the server, which may be gone. */
function cut(client: Client): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } }
  connection?.stream?.destroy()
}

function tlsOptions({ tls, caFile, certFile, keyFile }: Address) {
  if (tls === 'off') return false
  return {
    rejectUnauthorized: tls === 'verified',
    ...(caFile !== undefined && { ca: readTls(caFile) }),
    ...(certFile !== undefined && { cert: readTls(certFile) }),
    ...(keyFile !== undefined && { key: readTls(keyFile) }),
  }
}

function readTls(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ProvisionError(
      problem('STATE_REFUSED', `${file} cannot be read: ${(cause as Error).message}`, {
        remedy: 'Correct the path in `state`, or let the provisioner read the file.',
      }),
    )
  }
}

function shownTls({ tls, isLocal }: Address): string {
  if (tls === 'verified') return 'TLS, verified'
  if (tls === 'unverified') return 'TLS, not verified'
  return isLocal ? 'plain, on this machine' : 'plain'
}
