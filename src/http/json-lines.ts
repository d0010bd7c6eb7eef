// A response that continues as long as there is something to send: one JSON value on each line.

import type { ServerResponse } from 'node:http'

/** The values to send. `signal` is aborted when the client has left: a source that waits must then end. */
export type Lines = (signal: AbortSignal) => AsyncIterable<unknown>

/** Milliseconds for which a client may read nothing of what was sent. */
const slowestReader = 60_000

/**
 * Asks for the next value only when the client has read the last ones, so that a slow reader holds no memory. Resolves when
 * all is sent, or the client has left; rejects when the source fails. A HEAD request gets the headers only.
 */
export async function sendLines(
  response: ServerResponse,
  lines: Lines,
  patience = slowestReader,
): Promise<true> {
  response.writeHead(200, {
    'Content-Type': 'application/json; charset=UTF-8',
    'Cache-Control': 'no-store',
    // nginx would otherwise collect the lines.
    'X-Accel-Buffering': 'no',
  })
  if (response.req.method === 'HEAD') {
    response.end()
    return true
  }
  const left = new AbortController()
  response.once('close', () => left.abort())
  // Hours may pass between two lines. A client that is gone is found by TCP's keep-alive.
  const limit = (ms: number) => response.socket?.setTimeout(ms)
  limit(0)
  response.flushHeaders()
  for await (const value of lines(left.signal)) {
    if (left.signal.aborted) break
    if (response.write(`${JSON.stringify(value)}\n`)) continue
    limit(patience)
    await drained(response, left.signal)
    limit(0)
  }
  response.end()
  return true
}

function drained(response: ServerResponse, left: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      left.removeEventListener('abort', done)
      resolve()
    }
    response.once('drain', done)
    left.addEventListener('abort', done)
    if (left.aborted) done()
  })
}
