// GET /healthz: alive, and willing to serve. GET /readyz: it also sees what it must see to do its work.
import type { Handler } from '../platform/ports.ts'
import { pathOf, sendJson } from './router.ts'

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

// GET /info where no master answers it: who this is, so that clients know one of ours before they show a token.

export interface Info {
  version: string
  cluster_id: string
  cluster_name: string
}

export function infoHandler(info: Info): Handler {
  return (request, response) => {
    if (pathOf(request) !== '/info' || !['GET', 'HEAD'].includes(request.method ?? '')) return false
    return sendJson(response, 200, { ...info, product: productName })
  }
}

// GET /metrics: numbers for Prometheus.

export interface MetricsSource {
  /** The whole page. */
  render(): Promise<string>
  contentType: string
}

export function metricsHandler({ render, contentType }: MetricsSource): Handler {
  return async (request, response) => {
    if (pathOf(request) !== '/metrics' || !['GET', 'HEAD'].includes(request.method ?? '')) return false
    const page = await render()
    response.writeHead(200, {
      'Content-Type': contentType,
      'Content-Length': Buffer.byteLength(page),
      'Cache-Control': 'no-store',
    })
    response.end(request.method === 'HEAD' ? undefined : page)
    return true
  }
}

// What our masters call themselves in `GET /info`, so that our clients know one of ours from others.

export const productName = 'dynamic-agent-provisioner'
