// Routes as data, and the one handler that finds the right one for a request.
import type { Handler } from '../platform/ports.ts'
import { pathOf, queryOf, readJson, sendJson } from './http-answers.ts'

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

export interface Route {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Such as `/api/v1/agents/:id`. */
  path: string
  answer: (call: Call) => Reply | Promise<Reply>
}

export function ok(value: unknown): Reply {
  return { status: 200, value }
}

/** The first that answers. */
export function anyOf(handlers: Handler[]): Handler {
  return async (request, response) => {
    for (const handler of handlers) if (await handler(request, response)) return true
    return false
  }
}

/**
 * A known path with another method is 405; an unknown path is left to others. `refuse` makes the answer to a request
 * that no route gets to see.
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
    const send = ({ status, value }: Reply) => sendJson(response, status, value)
    if (!found) return send(refuse(405, `${request.method} is not for ${path}`))
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
