// Routes as data, the handler that finds the route of a request, and what handlers share: the parts of a request,
// bounded bodies, JSON responses.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Handler, Logger, UpgradeHandler } from '../platform/index.ts'
import { type Lines, sendLines } from './json-lines.ts'

export interface Call {
  /** The `:name` parts of the route's path, decoded. */
  params: Record<string, string>
  query: URLSearchParams
  /** Parsed JSON of a POST or PATCH; {} when there is none. */
  body: Record<string, unknown>
}

export interface Reply {
  status: number
  value: unknown
}

/** A reply without a fixed end: one JSON value on each line, with status 200. */
export interface StreamReply {
  lines: Lines
}

type AnyReply = Reply | StreamReply

export interface Route {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Such as `/api/v1/agents/:id`. */
  path: string
  answer: (call: Call) => AnyReply | Promise<AnyReply>
}

export function ok(value: unknown): Reply {
  return { status: 200, value }
}

/** The first handler that answers. */
export function anyOf(handlers: readonly Handler[] | (() => readonly Handler[])): Handler {
  return async (request, response) => {
    const now = typeof handlers === 'function' ? handlers() : handlers
    for (const handler of now) if (await handler(request, response)) return true
    return false
  }
}

/**
 * A known path with another method is 405; an unknown path is left to the next handler. `refuse` makes the response to a
 * request that reaches no route.
 */
export function answerRoutes(routes: Route[], refuse: (status: number, text: string) => Reply): Handler {
  return async (request, response) => {
    const path = pathOf(request)
    const matches = routes.flatMap((route) => {
      const params = match(route.path, path)
      return params ? [{ route, params }] : []
    })
    if (matches.length === 0) return false
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const found = matches.find(({ route }) => route.method === method)
    const send = (reply: AnyReply) =>
      'lines' in reply ? sendLines(response, reply.lines) : sendJson(response, reply.status, reply.value)
    if (!found) return send(refuse(405, `method ${request.method} is not allowed for ${path}`))
    if (method === 'GET')
      return send(await found.route.answer({ ...found, query: queryOf(request), body: {} }))
    const body = await readJson(request)
    if (!body.ok) return send(refuse(body.status, body.message))
    if (typeof body.value !== 'object' || body.value === null || Array.isArray(body.value))
      return send(refuse(400, 'the body must be a JSON object'))
    const call = {
      params: found.params,
      query: queryOf(request),
      body: body.value as Record<string, unknown>,
    }
    return send(await found.route.answer(call))
  }
}

function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (wanted.length !== given.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, part] of wanted.entries()) {
    if (!part.startsWith(':')) {
      if (part !== given[i]) return undefined
      continue
    }
    try {
      params[part.slice(1)] = decodeURIComponent(given[i]!)
    } catch {
      return undefined
    }
  }
  return params
}

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

/** Sends JSON; a HEAD request gets the headers only. Returns true, so that a handler can return the call. */
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

export type Body = { ok: true; value: unknown } | { ok: false; status: 400 | 413; message: string }

/** Reads a whole JSON body of at most `limit` bytes; an empty one is {}. Rejects only when the client disconnects. */
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

/** Offers a request to each handler in turn and never throws. Responds 404 when no handler answers, 500 when one fails; the reason of a failure goes to the log only. */
export async function dispatch(
  handlers: Handler[],
  logger: Logger,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.on('error', () => {})
  try {
    for (const handler of handlers) if (await handler(request, response)) return
    sendJson(response, 404, { message: `not found: ${pathOf(request).slice(0, 200)}` })
  } catch (error) {
    if (request.destroyed && !response.writableEnded) return
    logger.error('a request handler failed', { method: request.method, path: pathOf(request), error })
    if (response.headersSent) response.destroy()
    else sendJson(response, 500, { message: 'internal error' })
  }
}

export function dispatchUpgrade(
  handlers: UpgradeHandler[],
  logger: Logger,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  // Node removes its own listener at the upgrade; an unhandled error would end the process.
  socket.on('error', () => socket.destroy())
  try {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket')
      refuseUpgrade(socket, 400, 'only WebSocket upgrades are supported')
    else if (!handlers.some((handler) => handler(request, socket, head)))
      refuseUpgrade(socket, 404, `not found: ${pathOf(request).slice(0, 200)}`)
  } catch (error) {
    logger.error('an upgrade handler failed', { path: pathOf(request), error })
    socket.destroy()
  }
}

/**
 * Sends `{"message": …}` as Determined's master does (master/internal/api/error.go) and closes the socket. `retryAfter`:
 * seconds, for clients that may retry.
 */
export function refuseUpgrade(socket: Duplex, status: number, message: string, retryAfter?: number): void {
  const body = JSON.stringify({ message })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'Content-Type: application/json; charset=UTF-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(retryAfter === undefined ? [] : [`Retry-After: ${retryAfter}`]),
    'Connection: close',
  ]
  socket.once('error', () => socket.destroy())
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}
