// GET /healthz: alive, and willing to serve.
import type { Handler } from '../model/ports.ts'
import { pathOf, sendJson } from '../platform/http-answers.ts'

/** `faults` names what keeps us from serving; an empty list answers 200, anything else 503 with the list. */
export function healthHandler(faults: () => string[]): Handler {
  return (request, response) => {
    if (pathOf(request) !== '/healthz' || !['GET', 'HEAD'].includes(request.method ?? '')) return false
    const list = faults()
    return sendJson(response, list.length ? 503 : 200, {
      status: list.length ? 'failing' : 'ok',
      faults: list,
    })
  }
}
