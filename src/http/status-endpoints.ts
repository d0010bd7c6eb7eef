// GET /healthz: alive, and willing to serve. GET /readyz: it also sees what it must see to do its work.
import type { Handler } from '../platform/ports.ts'
import { pathOf, sendJson } from './http-answers.ts'

/** `faults` names what keeps us from serving; an empty list answers 200, anything else 503 with the list. */
export function healthHandler(faults: () => string[]): Handler {
  return probe('/healthz', 'failing', faults)
}

/** `missing` names what is not there yet, or not any more: a listing of a pool's VMs, the master's word. */
export function readyHandler(missing: () => string[]): Handler {
  return probe('/readyz', 'not ready', missing)
}

function probe(path: string, failing: string, faultsOf: () => string[]): Handler {
  return (request, response) => {
    if (pathOf(request) !== path || !['GET', 'HEAD'].includes(request.method ?? '')) return false
    const faults = faultsOf()
    return sendJson(response, faults.length ? 503 : 200, { status: faults.length ? failing : 'ok', faults })
  }
}
