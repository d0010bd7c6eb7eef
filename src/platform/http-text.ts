// One small HTTP request with a deadline: what metadata servers are asked with.

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
 * `TimeoutError` after the deadline, else with what the network said. Redirects are not followed: a metadata server
 * has none, a captive portal does.
 */
export async function fetchText(request: TextRequest): Promise<TextAnswer> {
  const deadline = AbortSignal.timeout(request.timeoutMs)
  const signal = request.signal ? AbortSignal.any([request.signal, deadline]) : deadline
  const { fetch, url, method = 'GET', headers = {} } = request
  const response = await fetch(url, { method, headers, signal, redirect: 'manual' })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** The innermost cause: `fetch failed` alone helps nobody. */
export function reasonOf(error: unknown): string {
  let inner = error
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause
  return inner instanceof Error ? inner.message || inner.name : String(inner)
}
