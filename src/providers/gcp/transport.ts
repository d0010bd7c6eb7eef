// How requests reach Google: with credentials, a deadline each, and an answer or a `GceError`, whatever happens.
import type { Fetch } from '../../platform/http-text.ts'
import { reasonOf } from '../../platform/http-text.ts'
import type { Credentials } from './credentials.ts'
import { errorOfAnswer, GceError, gceErrorIn } from './errors.ts'
import { leanUrl } from './lean-url.ts'

/** `wait` holds an answer back for two minutes; the others take seconds. */
const waitMs = 150_000
const callMs = 60_000

export interface TransportInput {
  credentials: Credentials
  fetch: Fetch
  timeouts?: { waitMs: number; callMs: number }
}

export type Send = (url: string | URL, init?: RequestInit) => Promise<Response>

/** Resolves with an answer whose body has arrived whole; the client hands its own signal in `init`. */
export function transport({ credentials, fetch, timeouts = { waitMs, callMs } }: TransportInput): Send {
  return async (url, { method = 'GET', headers, body, signal } = {}) => {
    const target = method === 'GET' ? leanUrl(new URL(url)) : new URL(url)
    const deadline = AbortSignal.timeout(/\/wait$/.test(target.pathname) ? timeouts.waitMs : timeouts.callMs)
    const stop = signal ? AbortSignal.any([signal, deadline]) : deadline
    try {
      const authorized = new Headers(headers)
      for (const [name, value] of await orAborted(credentials.headers(target), stop))
        authorized.set(name, value)
      const response = await fetch(target, {
        method,
        headers: authorized,
        // The client gives GETs an empty body, which fetch does not take.
        ...(method !== 'GET' && body ? { body } : {}),
        signal: stop,
        redirect: 'error',
      })
      const text = await response.text()
      if (!response.ok) throw errorOfAnswer(response.status, response.headers, text)
      checkJson(text)
      return new Response(text, { status: response.status, headers: { 'content-type': 'application/json' } })
    } catch (error) {
      if (signal?.aborted) throw error
      throw gceErrorIn(error) ?? unanswered(error, deadline.aborted)
    }
  }
}

/** A token server can hang, too. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** A proxy's page with status 200 must not be read as an empty answer. */
function checkJson(text: string): void {
  try {
    JSON.parse(text)
  } catch (error) {
    throw new GceError('notJson', 'something else than Compute Engine answered', { cause: error })
  }
}

function unanswered(error: unknown, late: boolean): GceError {
  return late
    ? new GceError('timeout', 'no answer in time', { cause: error })
    : new GceError('network', reasonOf(error), { cause: error })
}
