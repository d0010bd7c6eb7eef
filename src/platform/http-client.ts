// What our own HTTP clients share: bounded answers, and the error for a missing one.
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

/** In the form of a socket error. */
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
  /** Of the whole exchange, body included. */
  timeoutMs: number
  signal?: AbortSignal
}

export interface TextAnswer {
  status: number
  headers: Headers
  text: string
}

/**
 * Any status is an answer. Rejects when there is none: with the reason of `signal` when it was aborted, with a
 * `TimeoutError` after the deadline, else with the network error. Redirects are not followed: a metadata server
 * has none, a captive portal does.
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
