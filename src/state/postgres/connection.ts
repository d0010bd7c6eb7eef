// One connection to PostgreSQL by the driver, with what the driver does not show: that parts of an answer arrive.
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Client } from 'pg'
import { ProvisionError, problem } from '../../problems/index.ts'
import type { Address } from './address.ts'

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

/** Milliseconds for which the server may send nothing. */
export const callDeadline = 5_000
const closingTime = 1_000

export interface Connection {
  query: Query
  tls: string
  ended: Promise<void>
  /** Called with each part of an answer. */
  onAnswer: () => void
  isCut(): boolean
  /** At once, whatever is in progress. */
  cut(): void
  close(): Promise<void>
  /** If it is still unused then. */
  closeAfter(ms: number, isUnused: () => boolean): void
}

/** Rejects when the server refuses it, or sends nothing for too long. */
export async function openConnection(address: Address, onAnswer: () => void): Promise<Connection> {
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
    keepAlive: true,
  })
  let isCut = false
  const cut = () => {
    isCut = true
    insideOf(client)?.stream?.destroy()
  }
  const ended = new Promise<void>((resolve) => client.once('end', resolve))
  // A connection that breaks while nothing is asked of it.
  client.on('error', cut)
  let timer: NodeJS.Timeout | undefined
  const connection: Connection = {
    tls: shownTls(address),
    ended,
    onAnswer,
    cut,
    isCut: () => isCut,
    async query(sql, values = []) {
      clearTimeout(timer)
      const { rows, rowCount } = await client.query(sql, [...values])
      return { rows, count: rowCount ?? rows?.length ?? 0 }
    },
    async close() {
      clearTimeout(timer)
      // The server may be gone, or hang.
      const patience = setTimeout(cut, closingTime)
      await client.end().catch(() => {})
      clearTimeout(patience)
    },
    closeAfter(ms, isUnused) {
      clearTimeout(timer)
      timer = setTimeout(() => {
        if (isUnused()) cut()
      }, ms)
      timer.unref()
    },
  }
  void ended.then(() => (isCut = true))
  // A login takes several answers, and one with TLS some more.
  const wait = silence(callDeadline)
  connection.onAnswer = () => {
    wait.onAnswer()
    onAnswer()
  }
  try {
    const connecting = client.connect()
    hear(client, () => connection.onAnswer())
    await Promise.race([connecting, wait.over])
    return connection
  } catch (error) {
    cut()
    throw error
  } finally {
    wait.end()
  }
}

/** What pg keeps to itself: `end` waits for the server, which may be gone, and answers are seen only when they are complete. */
interface Inside {
  stream?: Socket
  on(event: 'connect' | 'sslconnect', listener: () => void): void
}

function insideOf(client: Client): Inside | undefined {
  return (client as unknown as { connection?: Inside }).connection
}

/** Of a client that has begun to connect. */
function hear(client: Client, onPart: () => void): void {
  const inside = insideOf(client)
  inside?.stream?.on('data', onPart)
  inside?.on('connect', onPart)
  // Then it has another stream.
  inside?.on('sslconnect', () => inside.stream?.on('data', onPart))
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

/** `over` rejects when so many milliseconds pass without an answer. */
export function silence(ms: number): { over: Promise<never>; onAnswer: () => void; end: () => void } {
  const over = Promise.withResolvers<never>()
  over.promise.catch(() => {})
  const timer = setTimeout(() => over.reject(new Error(`no answer within ${Math.round(ms / 1000)} s`)), ms)
  return { over: over.promise, onAnswer: () => void timer.refresh(), end: () => clearTimeout(timer) }
}
