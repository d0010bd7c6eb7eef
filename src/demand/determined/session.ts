// A session at the master: logs in when it has to, again when the master says that the session is over, and out at the end.

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
  /** What anybody may know. Throws DETERMINED_NOT_A_MASTER, and why there is no connection. */
  facts(signal?: AbortSignal): Promise<MasterFacts>
  /** As the user. Any status but 401 is an answer. Throws why there is no connection or no login. */
  ask(order: Order): Promise<HttpAnswer>
  /** The same, for what must be answered with 200 and such JSON. */
  get<T>(path: string, schema: z.ZodMiniType<T>, signal?: AbortSignal): Promise<T>
  /** For messages about what was answered. */
  endpoint(): Endpoint
  /** Ends the session the master gave us, if it answers within a second. Never rejects. */
  close(): Promise<void>
}

export interface SessionOptions {
  /** Reads the files that say whom to trust; asked again after a failure, when they may have been renewed. */
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
  /** The token in use is one that we were given for a password, so that it is ours to end. */
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
    // A master that is not up yet has a proxy speak for it.
    if (answer.status >= 500) throw refusal({ method: 'GET', path: '/api/v1/master' }, answer, endpoint())
    const message = `${masterUrl(endpoint().address)} answers GET /api/v1/master with status ${answer.status}; this is not a Determined master`
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

// Who we are to the master: a token from a file, or one it gives us for a user and password. Files are read at each login.

export type Credentials = { token: string } | { username: string; password: string }

type LoginFiles = Pick<DemandConfig, 'user' | 'password_file' | 'token_file'>

/** Throws DETERMINED_LOGIN_FILE. The problem never quotes what is in the file. */
export function readCredentials({ user, password_file, token_file }: LoginFiles): Credentials {
  if (token_file !== undefined) {
    const token = read(token_file).trim()
    if (/^[\x21-\x7e]+$/.test(token)) return { token }
    throw new ProvisionError(problem('DETERMINED_LOGIN_FILE', `${token_file} does not contain a token`))
  }
  if (user !== undefined && password_file !== undefined)
    // The end of the line is the editor's; an empty password is one, too.
    return { username: user, password: read(password_file).replace(/\r?\n$/, '') }
  throw new ProvisionError(
    problem('DETERMINED_LOGIN_FILE', 'no login is configured', {
      remedy: 'Set demand.user and demand.password_file, or demand.token_file.',
    }),
  )
}

/** Warns of a file that everybody can read. */
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
