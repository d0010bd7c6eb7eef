// The master's routes, with failures in the shape Determined's gateway has (origin: internal/grpcutil/errors.go).

import { answerRoutes, type Reply, type Route } from '../../http/router.ts'
import type { Handler } from '../../platform/ports.ts'

export { ok, type Reply, type Route } from '../../http/router.ts'

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

export function routesHandler(routes: Route[]): Handler {
  return answerRoutes(routes, failure)
}
