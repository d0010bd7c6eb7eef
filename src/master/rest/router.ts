// Routes of the REST API as data, answered in the shapes Determined's gateway has (origin: internal/grpcutil/errors.go).
import type { Handler } from '../../model/ports.ts'
import { pathOf, queryOf, readJson, sendJson } from '../../platform/http-answers.ts'

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

/** gRPC's code and name for each HTTP status the gateway answers. */
const grpc: Record<number, [number, string]> = {
  400: [3, 'InvalidArgument'],
  404: [5, 'NotFound'],
  405: [12, 'Unimplemented'],
  409: [9, 'FailedPrecondition'],
  413: [8, 'ResourceExhausted'],
  500: [13, 'Internal'],
  503: [14, 'Unavailable'],
}

export function failure(status: number, text: string): Reply {
  const [code, reason] = grpc[status] ?? [2, 'Unknown']
  return { status, value: { error: { code, reason, error: text } } }
}

/** One handler for all routes. A known path with another method is 405; an unknown path is left to others. */
export function routesHandler(routes: Route[]): Handler {
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
    if (!found) return send(failure(405, `${request.method} is not for ${path}`))
    if (method === 'GET')
      return send(await found.route.answer({ ...found, query: queryOf(request), body: {} }))
    const body = await readJson(request)
    if (!body.ok) return send(failure(body.status, body.message))
    if (typeof body.value !== 'object' || body.value === null || Array.isArray(body.value))
      return send(failure(400, 'the body must be a JSON object'))
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
