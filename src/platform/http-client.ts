// Shared by the HTTP clients: answers of limited size, and the error for a timeout.
import type { IncomingMessage } from 'node:http'

/** The whole body as text. Rejects when it is longer than `longest` bytes, or the connection breaks. */
export async function readAll(response: IncomingMessage, longest: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > longest) throw new Error(`the answer is longer than ${longest} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** A timeout in the form of a socket error. */
export function timedOut(ms: number): NodeJS.ErrnoException {
  return Object.assign(new Error(`no answer within ${ms / 1000} s`), { code: 'ETIMEDOUT' })
}

// One small HTTP request with a deadline, as used for metadata servers.

export type Fetch = typeof globalThis.fetch

export interface TextRequest {
  fetch: Fetch
  url: string
  method?: string
  headers?: Record<string, string>
  /** For the whole exchange, including the body. */
  timeoutMs: number
  signal?: AbortSignal
}

export interface TextAnswer {
  status: number
  headers: Headers
  text: string
}

/**
 * Resolves with an answer of any status. Rejects without an answer: with the reason of `signal` when it was aborted, with
 * a `TimeoutError` after the deadline, else with the network error. Does not follow redirects: a metadata server sends
 * none, a captive portal does.
 */
export async function fetchText(request: TextRequest): Promise<TextAnswer> {
  const deadline = AbortSignal.timeout(request.timeoutMs)
  const signal = request.signal ? AbortSignal.any([request.signal, deadline]) : deadline
  const { fetch, url, method = 'GET', headers = {} } = request
  const response = await fetch(url, { method, headers, signal, redirect: 'manual' })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** The innermost cause, because `fetch failed` alone is not helpful. */
export function reasonOf(error: unknown): string {
  let inner = error
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause
  return inner instanceof Error ? inner.message || inner.name : String(inner)
}

/**
 * One exchange by `fetch` with the whole body, which may take as long as parts of it arrive. Rejects with `timedOut` when nothing
 * arrives for `silenceMs`, from the start of the request on, else as `fetch` does.
 */
export async function fetchWhileHeard(
  fetch: Fetch,
  url: URL,
  init: RequestInit,
  silenceMs: number,
): Promise<{ response: Response; text: string }> {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(timedOut(silenceMs)), silenceMs)
  const signal = init.signal ? AbortSignal.any([init.signal, silence.signal]) : silence.signal
  try {
    const response = await fetch(url, { ...init, signal })
    timer.refresh()
    const parts: Uint8Array[] = []
    for await (const part of response.body ?? []) {
      timer.refresh()
      parts.push(part)
    }
    return { response, text: Buffer.concat(parts).toString('utf8') }
  } catch (error) {
    throw silence.signal.aborted && !init.signal?.aborted ? silence.signal.reason : error
  } finally {
    clearTimeout(timer)
  }
}
