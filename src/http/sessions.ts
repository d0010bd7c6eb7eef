// Logging in to the built-in master with a name and a password, as Determined's clients do: POST /api/v1/auth/login and
// logout, GET /api/v1/me and /api/v1/auth/user.

import { createHash, randomBytes } from 'node:crypto'
import { type Clock, type Handler, type Logger, wallTime } from '../platform/index.ts'
import { bearer } from './access.ts'
import type { Failure } from './job-view.ts'
import { pathOf, readJson, sendJson } from './router.ts'
import { asSent, isPassword, type Users } from './users.ts'

export const loginPath = '/api/v1/auth/login'

export interface SessionsOptions {
  /** The present users; called for each login and each request with a session. May throw. */
  users: () => Users
  clock: Clock
  logger: Logger
}

export interface Sessions {
  /** Answers a login; put it before the access handler. */
  login: Handler
  /** Answers requests about the caller's own session; put it after the access handler. */
  own: Handler
  /** Is it the token of a session that has not ended? */
  accepts(token: string): boolean
}

interface Session {
  name: string
  /** Of the password at the login: a changed password ends the session. */
  hash: string
  /** Milliseconds since the epoch. */
  until: number
}

/** As in Determined (master/internal/user/postgres_users.go). */
const lifetime = 7 * 86_400_000
const mostSessions = 10_000
/** Each computed hash takes 32 MiB, so logins wait for each other, and only a few may wait. */
const mostWaiting = 8

/** Sessions are kept in memory: a restart ends them. */
export function createSessions({ users, clock, logger }: SessionsOptions): Sessions {
  const sessions = new Map<string, Session>()
  const guesses = createGuessLimit(() => clock.now())
  let turn: Promise<unknown> = Promise.resolve()
  let waiting = 0

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    waiting += 1
    const result = turn.then(work)
    turn = result
      .catch(() => {})
      .finally(() => {
        waiting -= 1
      })
    return result
  }

  function find(token: string): Session | undefined {
    const key = keyOf(token)
    const session = sessions.get(key)
    if (!session) return undefined
    if (wallTime(clock) < session.until && users().get(session.name) === session.hash) return session
    sessions.delete(key)
    return undefined
  }

  function open(name: string, hash: string): string {
    const token = randomBytes(32).toString('base64url')
    sessions.set(keyOf(token), { name, hash, until: wallTime(clock) + lifetime })
    const [oldest] = sessions.keys()
    if (sessions.size > mostSessions) sessions.delete(oldest!)
    return token
  }

  return {
    async login(request, response) {
      if (request.method !== 'POST' || pathOf(request) !== loginPath) return false
      const address = request.socket.remoteAddress ?? ''
      const wait = guesses.wait(address)
      if (wait > 0 || waiting >= mostWaiting) {
        const text = `too many ${wait > 0 ? 'failed logins' : 'logins at once'}: try again in ${wait || 1} s`
        return sendJson(response, 429, failure(8, 'ResourceExhausted', text), {
          'Retry-After': `${wait || 1}`,
        })
      }
      const body = await readJson(request, 16_384)
      if (!body.ok) return sendJson(response, body.status, failure(3, 'InvalidArgument', body.message))
      const { username, password, isHashed } = (body.value ?? {}) as Record<string, unknown>
      if (typeof username !== 'string' || typeof password !== 'string')
        return sendJson(response, 400, failure(3, 'InvalidArgument', 'username and password must be strings'))
      // A guess counts before its result is known, so that many at once are limited, too.
      guesses.failed(address)
      const hash = users().get(username)
      const right = await inTurn(() => isPassword(isHashed === true ? password : asSent(password), hash))
      if (!right || hash === undefined) {
        logger.warn('a login failed', { user: username.slice(0, 64), address })
        return sendJson(response, 401, failure(16, 'Unauthenticated', 'invalid credentials'))
      }
      guesses.succeeded(address)
      return sendJson(response, 200, { token: open(username, hash), user: userView(username) })
    },
    own(request, response) {
      const path = pathOf(request)
      const token = bearer(request) ?? ''
      if (request.method === 'GET' && (path === '/api/v1/me' || path === '/api/v1/auth/user'))
        return sendJson(response, 200, { user: userView(find(token)?.name ?? 'token') })
      if (request.method !== 'POST' || path !== '/api/v1/auth/logout') return false
      sessions.delete(keyOf(token))
      return sendJson(response, 200, {})
    },
    accepts: (token) => find(token) !== undefined,
  }
}

/** Tokens are not kept, and finding one takes the same time for all that do not exist. */
function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}

function failure(code: number, reason: string, error: string): Failure {
  return { error: { code, reason, error } }
}

/** Who has logged in may do what the token may do. */
function userView(username: string) {
  return {
    id: 1,
    username,
    displayName: '',
    admin: true,
    active: true,
    remote: false,
    agentUserGroup: null,
    modifiedAt: null,
    lastAuthAt: null,
  }
}

// Failed logins of an address: ten at once, then one every six seconds.

const burst = 10
const refill = 6000
const mostAddresses = 10_000

interface GuessLimit {
  /** Whole seconds until the address may try again; 0: now. */
  wait(address: string): number
  failed(address: string): void
  succeeded(address: string): void
}

function createGuessLimit(now: () => number): GuessLimit {
  /** When the address has all its tries again. */
  const fullAt = new Map<string, number>()
  const left = (address: string) => Math.max(0, (fullAt.get(address) ?? 0) - now())
  function set(address: string, ms: number): void {
    fullAt.delete(address)
    if (ms > 0) fullAt.set(address, now() + ms)
    const [oldest] = fullAt.keys()
    if (fullAt.size > mostAddresses) fullAt.delete(oldest!)
  }
  return {
    wait: (address) => Math.max(0, Math.ceil((left(address) - (burst - 1) * refill) / 1000)),
    failed: (address) => set(address, left(address) + refill),
    succeeded: (address) => set(address, left(address) - refill),
  }
}
