// The login at the master: a token from a file, or one that it issues for a user and password. One login at a time for all
// pools, and a pause after one that failed: each check of a password costs the master 2 s of CPU (Determined:
// model/user.go, BCryptCost 15), also when nobody waits for the answer any more.

import { readFileSync, statSync } from 'node:fs'
import type { DemandConfig } from '../../config/index.ts'
import { type Clock, delayAfter, type Logger } from '../../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'
import type { HttpAnswer } from './connections.ts'
import { wordsOf } from './failures.ts'

export interface Login {
  /** The token to send; logs in if there is none. Throws the last failure again, without a request, while the pause lasts. */
  token(): Promise<string>
  /** The master accepted it. */
  accepted(): void
  /** The master answered 401: the next request logs in again. */
  expired(token: string): void
  /** The master answered 401 to a token that it had just issued, or that was just read. */
  rejected(token: string, answer: HttpAnswer): ProvisionError
  /** Ends the login in progress; returns the token that was issued for a password, to log out with. */
  close(): string | undefined
}

export interface LoginOptions {
  files: LoginFiles
  /** Exchanges user and password for a token; throws why that failed. */
  exchange: (credentials: Password, signal: AbortSignal) => Promise<string>
  /** Throws if the server is not a master: it gets no credentials then. */
  recognise: () => Promise<unknown>
  clock: Clock
  /** From 0 up to 1. */
  random: () => number
  logger: Logger
}

interface Held {
  attempt: Promise<string>
  credentials: Credentials
  /** Once the attempt has succeeded. */
  token?: string
}

/** Outages have shorter pauses of their own. */
const pauses = { first: 5_000, most: 300_000 }
/** Milliseconds. */
const slow = 5_000

export function createLogin(options: LoginOptions): Login {
  const { files, exchange, recognise, clock, random, logger } = options
  const closing = new AbortController()
  let held: Held | undefined
  /** The session has to be ended: the master created it for a password. */
  let issued: string | undefined
  let failures = 0
  let failed: { with: Credentials; error: ProvisionError; retryAt: number } | undefined

  function fail(credentials: Credentials, error: ProvisionError): void {
    failures++
    failed = { with: credentials, error, retryAt: clock.now() + delayAfter(failures, pauses, random) }
  }

  async function logIn(credentials: Credentials): Promise<string> {
    if (failed && isSame(failed.with, credentials) && clock.now() < failed.retryAt) throw failed.error
    await recognise()
    if ('token' in credentials) return credentials.token
    const began = clock.now()
    try {
      issued = await exchange(credentials, closing.signal)
    } catch (error) {
      if (error instanceof ProvisionError) fail(credentials, error)
      throw error
    }
    const took = clock.now() - began
    if (took >= slow)
      logger.info('the login at the Determined master was slow: it checks passwords with 2 s of CPU', {
        seconds: took / 1000,
      })
    return issued
  }

  return {
    async token() {
      if (held) return held.attempt
      const credentials = readCredentials(files)
      const mine: Held = { attempt: logIn(credentials), credentials }
      held = mine
      try {
        mine.token = await mine.attempt
        return mine.token
      } catch (error) {
        if (held === mine) held = undefined
        throw error
      }
    },
    accepted() {
      failures = 0
      failed = undefined
    },
    expired(token) {
      // Another request may have logged in again already.
      if (held?.token === token) held = undefined
      if (issued === token) issued = undefined
    },
    rejected(token, answer) {
      const error = refusedToken(files, answer)
      if (held?.token === token) {
        fail(held.credentials, error)
        held = undefined
      }
      if (issued === token) issued = undefined
      return error
    },
    close() {
      closing.abort(new Error('the source of demand is closed'))
      held = undefined
      return issued
    },
  }
}

function isSame(one: Credentials, other: Credentials): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

// What a person has to change.

/** For a response of status 401 or 403 to a user and password. */
export function refusedPassword(
  { user = '', password_file = '' }: LoginFiles,
  answer: HttpAnswer,
): ProvisionError {
  const words = wordsOf(answer)
  // The master does not say which of the two is wrong.
  const isWrong = answer.status === 401 || words === undefined || /invalid credentials/i.test(words)
  const why = words ? `: ${words}` : ''
  return isWrong
    ? new ProvisionError(
        problem(
          'DETERMINED_LOGIN_REFUSED',
          `wrong password for user ${user}, or no such user at the master${why}`,
          {
            remedy: `Write the password of ${user} to ${password_file}; \`det user change-password ${user}\` sets a new one.`,
          },
        ),
      )
    : new ProvisionError(
        problem('DETERMINED_LOGIN_REFUSED', `user ${user} may not log in${why}`, {
          remedy: `Activate the user: det user edit ${user} --active true`,
        }),
      )
}

function refusedToken({ user, token_file }: LoginFiles, answer: HttpAnswer): ProvisionError {
  const words = wordsOf(answer)
  const what =
    token_file === undefined
      ? `the master rejected the token that it had just issued for user ${user}`
      : `the master rejected the token in ${token_file}`
  const remedy =
    token_file === undefined
      ? 'Check whether a proxy in front of the master removes or replaces the Authorization header.'
      : `Write a valid token to ${token_file}.`
  return new ProvisionError(
    problem('DETERMINED_LOGIN_REFUSED', words ? `${what}: ${words}` : what, { remedy }),
  )
}

/** No answer within the deadline of a login, in milliseconds. */
export function slowLogin(where: string, ms: number, cause: unknown): ProvisionError {
  const message = `${where}: no answer to the login within ${ms / 1000} s; its check of the password is what is slow`
  return new ProvisionError(problem('DETERMINED_LOGIN_SLOW', message, { cause }))
}

// The files of the login. They are read at each login.

export type Password = { username: string; password: string }
export type Credentials = { token: string } | Password

export type LoginFiles = Pick<DemandConfig, 'user' | 'password_file' | 'token_file'>

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
