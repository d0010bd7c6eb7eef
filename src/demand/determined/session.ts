// A session at the master: logs in when needed, again when the session has expired, and logs out at the end.

import { readFileSync, statSync } from 'node:fs'
import * as z from 'zod/mini'
import type { DemandConfig } from '../../config/index.ts'
import { masterUrl } from '../../pki/index.ts'
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'
import {
  type Connections,
  type Endpoint,
  type HttpAnswer,
  type Order,
  openConnections,
} from './connections.ts'
import { connectionProblem, jsonOf, parsed, refusal, wordsOf } from './failures.ts'

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
  login: Parameters<typeof readCredentials>[0]
  userAgent: string
  /** Milliseconds for one request. */
  timeoutMs: number
}

const factsSchema = z.object({
  version: z.string(),
  clusterId: z.string(),
  masterId: z.string(),
  clusterName: z.optional(z.string()),
  rbacEnabled: z.optional(z.boolean()),
})
const loginSchema = z.object({ token: z.string() })

export function openSession({ endpoint: load, login, userAgent, timeoutMs }: SessionOptions): Session {
  let line: { endpoint: Endpoint; connections: Connections } | undefined
  let token: Promise<string> | undefined
  /** The token was issued for a password, so this session has to log out. */
  let isGiven = false

  async function send(order: Order): Promise<HttpAnswer> {
    const used = connected()
    try {
      return await used.connections.send(order)
    } catch (error) {
      if (order.signal?.aborted) throw error
      if (line === used) line = undefined
      used.connections.close()
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

  async function logIn(): Promise<string> {
    const credentials = readCredentials(login)
    await facts()
    isGiven = !('token' in credentials)
    return 'token' in credentials ? credentials.token : await exchangePassword(credentials)
  }

  async function exchangePassword({
    username,
    password,
  }: Exclude<Credentials, { token: string }>): Promise<string> {
    const order: Order = {
      method: 'POST',
      path: '/api/v1/auth/login',
      body: { username, password, isHashed: false },
    }
    const answer = await send(order)
    if (answer.status === 200) return parsed(loginSchema, order, answer).token
    if (answer.status >= 500) throw refusal(order, answer, endpoint())
    throw refused(`the master rejected the login of ${username}`, answer)
  }

  /** Parallel requests share one login. */
  function current(): Promise<string> {
    if (token) return token
    const attempt = logIn()
    token = attempt
    attempt.catch(() => {
      if (token === attempt) token = undefined
    })
    return attempt
  }

  async function ask(order: Order): Promise<HttpAnswer> {
    const used = current()
    const first = await send({ ...order, token: await used })
    if (first.status !== 401) return first
    if (token === used) token = undefined
    const second = await send({ ...order, token: await current() })
    if (second.status !== 401) return second
    token = undefined
    throw refused('the master rejected the token', second)
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
      const given = isGiven ? await token?.catch(() => undefined) : undefined
      token = undefined
      if (given && line) {
        const logout: Order = { method: 'POST', path: '/api/v1/auth/logout', body: {}, token: given }
        await send({ ...logout, signal: AbortSignal.timeout(1000) }).catch(() => {})
      }
      line?.connections.close()
      line = undefined
    },
  }
}

function refused(what: string, answer: HttpAnswer): ProvisionError {
  const words = wordsOf(answer)
  return new ProvisionError(problem('DETERMINED_LOGIN_REFUSED', words ? `${what}: ${words}` : what))
}

// The login: a token from a file, or one that the master issues for a user and password. Files are read at each login.

export type Credentials = { token: string } | { username: string; password: string }

type LoginFiles = Pick<DemandConfig, 'user' | 'password_file' | 'token_file'>

/** Throws DETERMINED_LOGIN_FILE. The problem never quotes the contents of the file. */
export function readCredentials({ user, password_file, token_file }: LoginFiles): Credentials {
  if (token_file !== undefined) {
    const token = read(token_file).trim()
    if (/^[\x21-\x7e]+$/.test(token)) return { token }
    throw new ProvisionError(problem('DETERMINED_LOGIN_FILE', `${token_file} does not contain a token`))
  }
  if (user !== undefined && password_file !== undefined)
    // Removes the line end that editors add; an empty password is valid.
    return { username: user, password: read(password_file).replace(/\r?\n$/, '') }
  throw new ProvisionError(
    problem('DETERMINED_LOGIN_FILE', 'no login is configured', {
      remedy: 'Set demand.user and demand.password_file, or demand.token_file.',
    }),
  )
}

/** Warns of a world-readable file. */
export function fileWarnings({ password_file, token_file }: LoginFiles): Problem[] {
  const file = token_file ?? password_file
  if (file === undefined) return []
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0
  if ((mode & 0o004) === 0) return []
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  return [problem('DETERMINED_LOGIN_FILE_OPEN', `${file} is world-readable (mode ${octal})`)]
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const message = `${file} cannot be read: ${(cause as Error).message}`
    throw new ProvisionError(problem('DETERMINED_LOGIN_FILE', message, { cause }))
  }
}
