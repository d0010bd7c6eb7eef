// Connections to PostgreSQL: a few, made when they are needed, each call with a deadline. Nothing is kept in a session, so
// that a pooler in transaction mode is no different.
import type { PostgresConfig } from '../../config/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import { type Address, addressOf, describeAddress, type Env } from './address.ts'
import {
  type Answer,
  type Connection,
  callDeadline,
  openConnection,
  type Query,
  silence,
  type Value,
} from './connection.ts'
import { failureOf } from './failures.ts'

export type { Answer, Query, Value } from './connection.ts'

export interface How {
  /**
   * Milliseconds for which the server may send nothing before the call is given up, and for which it waits for a connection.
   * Not for the whole: a server that needs a second for each answer is slow, and one that sends nothing is gone.
   */
  deadline?: number
  /** Before all others that wait for a connection. */
  ahead?: boolean
}

/** What the adapter needs of a database. Every call that fails throws a ProvisionError that names the server. */
export interface Database {
  /** As people know it, without the password. */
  readonly name: string
  /** One statement, committed by itself. */
  query(sql: string, values?: readonly Value[], how?: How): Promise<Answer>
  /** The same on a connection of its own, which stays open: it waits for other urgent calls alone. */
  urgent(sql: string, values?: readonly Value[]): Promise<Answer>
  /** All or nothing. */
  transaction<T>(work: (query: Query) => Promise<T>, how?: How): Promise<T>
  /** Encrypted and verified, or why not; undefined before a connection. */
  tls(): string | undefined
  close(): Promise<void>
}

/** Enough for the journals of many pools to be written at once, and few for the server; with another one for urgent calls. */
const mostConnections = 3
/** Milliseconds. */
const idleTime = 30_000
/** The server ends a transaction whose client is suspended or cut off: its locks would stop everybody for hours. */
const begin = `BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${callDeadline}`

/** Connects at the first call. Throws STATE_URL_INVALID only then. */
export function databaseOf(config: PostgresConfig, env: Env): Database {
  return postgresDatabase(() => addressOf(config, env))
}

/** Connects at the first call. `address` is called for each connection. */
export function postgresDatabase(address: () => Address): Database {
  const open = new Set<Connection>()
  let name = 'PostgreSQL'
  let tls: string | undefined
  let closed = false
  const ordinary = createLane(mostConnections, connect)
  // A renewal of leases that waits for the journals of many pools, or for a new connection, would come too late.
  const urgent = createLane(1, connect)

  async function connect(onAnswer: () => void): Promise<Connection> {
    if (closed) throw new ProvisionError(problem('STATE_UNREACHABLE', `${name}: it was closed`))
    const at = address()
    name = describeAddress(at)
    const connection = await openConnection(at, onAnswer)
    tls = connection.tls
    open.add(connection)
    void connection.ended.then(() => open.delete(connection))
    if (closed) connection.cut()
    return connection
  }

  /** Nothing is known about a call that was not answered in time: its connection is cut, and used no more. */
  async function call<T>(
    lane: Lane,
    { deadline = callDeadline, ahead = false }: How,
    work: (query: Query) => Promise<T>,
  ): Promise<T> {
    const wait = silence(deadline)
    const taking = lane.take(ahead, wait.onAnswer)
    let connection: Connection | undefined
    try {
      const taken = await Promise.race([taking, wait.over])
      connection = taken
      wait.onAnswer()
      taken.onAnswer = wait.onAnswer
      const result = await Promise.race([work(taken.query), wait.over])
      lane.giveBack(taken)
      return result
    } catch (error) {
      if (connection) lane.discard(connection)
      // It may come later; without it the rejection is that of `taking` itself.
      else void taking.then(lane.giveBack, () => {})
      throw failureOf(error, name)
    } finally {
      wait.end()
    }
  }

  return {
    get name() {
      return name === 'PostgreSQL' ? nameOf(address) : name
    },
    query: (sql, values, how = {}) => call(ordinary, how, (query) => query(sql, values)),
    urgent: (sql, values) => call(urgent, {}, (query) => query(sql, values)),
    transaction: (work, how = {}) =>
      call(ordinary, how, async (query) => {
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

/** Connections of which each has one call at a time. */
interface Lane {
  /** A free one, or a new one once there may be another. `onAnswer`: with each answer while a new one is made. */
  take(ahead: boolean, onAnswer: () => void): Promise<Connection>
  giveBack(connection: Connection): void
  /** Instead: nothing is known about what it does. */
  discard(connection: Connection): void
}

function createLane(most: number, connect: (onAnswer: () => void) => Promise<Connection>): Lane {
  const idle: Connection[] = []
  const waiting: (() => void)[] = []
  let used = 0

  function release(): void {
    used--
    waiting.shift()?.()
  }

  function discard(connection: Connection): void {
    connection.cut()
    release()
  }

  function isIdle(connection: Connection): boolean {
    return idle.includes(connection)
  }

  return {
    async take(ahead, onAnswer) {
      while (used >= most)
        await new Promise<void>((resolve) => (ahead ? waiting.unshift(resolve) : waiting.push(resolve)))
      used++
      try {
        const free = idle.pop()
        if (free) return free
        const made = await connect(onAnswer)
        void made.ended.then(() => {
          if (isIdle(made)) idle.splice(idle.indexOf(made), 1)
        })
        return made
      } catch (error) {
        release()
        throw error
      }
    },
    giveBack(connection) {
      if (connection.isCut()) return discard(connection)
      connection.onAnswer = () => {}
      idle.push(connection)
      connection.closeAfter(idleTime, () => isIdle(connection))
      release()
    },
    discard,
  }
}

function nameOf(address: () => Address): string {
  try {
    return describeAddress(address())
  } catch {
    return 'PostgreSQL'
  }
}
