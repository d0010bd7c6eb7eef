// A session at the master: logs in when needed, again when the session has expired, and logs out at the end.

import * as z from 'zod/mini'
import { masterUrl } from '../../pki/index.ts'
import { type Clock, type Logger, notSentIn } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import {
  type Connections,
  type Endpoint,
  type HttpAnswer,
  type Order,
  openConnections,
} from './connections.ts'
import { connectionProblem, jsonOf, parsed, refusal } from './failures.ts'
import { createLogin, type LoginFiles, type Password, refusedPassword, slowLogin } from './login.ts'

export interface MasterFacts {
  version: string
  clusterId: string
  clusterName: string
  rbacEnabled: boolean
}

export interface Session {
  /** Data that needs no login. Throws DETERMINED_NOT_A_MASTER, and the error of the connection. */
  facts(signal?: AbortSignal): Promise<MasterFacts>
  /** Requests as the user. Resolves for any status but 401. Throws the error of the connection or of the login. */
  ask(order: Order): Promise<HttpAnswer>
  /** The same, but requires status 200 and JSON that matches the schema. */
  get<T>(path: string, schema: z.ZodMiniType<T>, signal?: AbortSignal): Promise<T>
  /** For messages about a response. */
  endpoint(): Endpoint
  /** Ends the session that the master created, if it responds within a second. Never rejects. */
  close(): Promise<void>
}

export interface SessionOptions {
  /** Reads the trust files; called again after a failure, because they may have been replaced. */
  endpoint: () => Endpoint
  login: LoginFiles
  userAgent: string
  /** Milliseconds for one request, except a login. */
  timeoutMs: number
  /** Milliseconds for a login with a password. */
  loginTimeoutMs: number
  clock: Clock
  /** From 0 up to 1. */
  random: () => number
  logger: Logger
}

const factsSchema = z.object({
  version: z.string(),
  clusterId: z.string(),
  masterId: z.string(),
  clusterName: z.optional(z.string()),
  rbacEnabled: z.optional(z.boolean()),
})
const loginSchema = z.object({ token: z.string() })

export function openSession(options: SessionOptions): Session {
  const { endpoint: load, login: files, userAgent, timeoutMs, loginTimeoutMs } = options
  let line: { endpoint: Endpoint; connections: Connections } | undefined
  const login = createLogin({ ...options, files, exchange, recognise: () => facts() })

  async function send(order: Order): Promise<HttpAnswer> {
    const used = connected()
    try {
      return await used.connections.send(order)
    } catch (error) {
      if (order.signal?.aborted || notSentIn(error)) throw error
      if (line === used) line = undefined
      // A login may be in progress on another connection. Ending it would make the master check the password again.
      used.connections.retire()
      throw new ProvisionError(connectionProblem(error as Error, used.endpoint))
    }
  }

  function connected(): { endpoint: Endpoint; connections: Connections } {
    if (line) return line
    const endpoint = load()
    line = { endpoint, connections: openConnections(endpoint, { timeoutMs, userAgent }) }
    return line
  }

  function endpoint(): Endpoint {
    return connected().endpoint
  }

  async function facts(signal?: AbortSignal): Promise<MasterFacts> {
    const answer = await send({ method: 'GET', path: '/api/v1/master', signal })
    const known = factsSchema.safeParse(jsonOf(answer.text))
    if (answer.status === 200 && known.success) {
      const { version, clusterId, clusterName = '', rbacEnabled = false } = known.data
      return { version, clusterId, clusterName, rbacEnabled }
    }
    // While a master is starting, a proxy may respond for it.
    if (answer.status >= 500) throw refusal({ method: 'GET', path: '/api/v1/master' }, answer, endpoint())
    const message = `${masterUrl(endpoint().address)} returned status ${answer.status} for GET /api/v1/master; it is not a Determined master`
    throw new ProvisionError(problem('DETERMINED_NOT_A_MASTER', message))
  }

  async function exchange({ username, password }: Password, signal: AbortSignal): Promise<string> {
    const order: Order = {
      method: 'POST',
      path: '/api/v1/auth/login',
      body: { username, password, isHashed: false },
      timeoutMs: loginTimeoutMs,
      signal,
    }
    const answer = await send(order).catch((error: unknown) => {
      throw isTimeout(error) ? slowLogin(masterUrl(endpoint().address), loginTimeoutMs, error) : error
    })
    if (answer.status === 200) return parsed(loginSchema, order, answer).token
    if (answer.status === 401 || answer.status === 403) throw refusedPassword(files, answer)
    throw refusal(order, answer, endpoint())
  }

  async function ask(order: Order): Promise<HttpAnswer> {
    const used = await untilAborted(login.token(), order.signal)
    const first = await send({ ...order, token: used })
    if (first.status !== 401) {
      login.accepted()
      return first
    }
    login.expired(used)
    const fresh = await untilAborted(login.token(), order.signal)
    const second = await send({ ...order, token: fresh })
    if (second.status === 401) throw login.rejected(fresh, second)
    login.accepted()
    return second
  }

  return {
    facts,
    ask,
    async get(path, schema, signal) {
      const order: Order = { method: 'GET', path, signal }
      const answer = await ask(order)
      if (answer.status !== 200) throw refusal(order, answer, endpoint())
      return parsed(schema, order, answer)
    },
    endpoint,
    async close() {
      const given = login.close()
      if (given && line) {
        const logout: Order = { method: 'POST', path: '/api/v1/auth/logout', body: {}, token: given }
        await send({ ...logout, signal: AbortSignal.timeout(1000) }).catch(() => {})
      }
      line?.connections.close()
      line = undefined
    },
  }
}

function isTimeout(error: unknown): boolean {
  const cause = error instanceof ProvisionError ? error.problems[0]?.cause : undefined
  return cause instanceof Error && 'code' in cause && cause.code === 'ETIMEDOUT'
}

/** Several requests wait for one login; it continues when one of them is aborted. */
async function untilAborted<T>(task: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return task
  const stopped = Promise.withResolvers<never>()
  const stop = () => stopped.reject(signal.reason)
  signal.throwIfAborted()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([task, stopped.promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
