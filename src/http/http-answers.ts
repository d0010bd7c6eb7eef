// What handlers of our own servers share: the parts of a request, bounded bodies, JSON answers.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Problem } from '../problems/problem.ts'

/** The request's path without its query; still percent-encoded. */
export function pathOf(request: IncomingMessage): string {
  const target = request.url ?? '/'
  const mark = target.indexOf('?')
  return mark < 0 ? target : target.slice(0, mark)
}

export function queryOf(request: IncomingMessage): URLSearchParams {
  const target = request.url ?? '/'
  const mark = target.indexOf('?')
  return new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1))
}

/** Answers JSON; a HEAD request gets the headers only. Returns true, so that a handler can end with it. */
export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): true {
  const body = JSON.stringify(value)
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=UTF-8',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...headers,
  })
  response.end(response.req.method === 'HEAD' ? undefined : body)
  return true
}

/** As our own doors say no: `{"error": {code, message, remedy, details?}}`. What caused it stays here. */
export function sendProblem(
  response: ServerResponse,
  status: number,
  { code, message, remedy, details }: Problem,
  headers: Record<string, string> = {},
): true {
  return sendJson(response, status, { error: { code, message, remedy, details } }, headers)
}

export type Body = { ok: true; value: unknown } | { ok: false; status: 400 | 413; message: string }

/** Reads a whole JSON body of at most `limit` bytes; an empty one is {}. Rejects only when the client goes away. */
export async function readJson(request: IncomingMessage, limit = 1024 * 1024): Promise<Body> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limit) return { ok: false, status: 413, message: `the body is larger than ${limit} bytes` }
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  if (text.trim() === '') return { ok: true, value: {} }
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch (error) {
    return {
      ok: false,
      status: 400,
      message: `the body is not JSON: ${(error as Error).message.slice(0, 100)}`,
    }
  }
}
