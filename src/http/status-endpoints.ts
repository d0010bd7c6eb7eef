// Endpoints without a token: GET /healthz, /readyz, /info and /metrics.
import type { IncomingMessage } from 'node:http'
import type { Handler } from '../platform/index.ts'
import { codeInfo, type Problem } from '../problems/index.ts'
import type { InfoView } from './info-view.ts'
import { pathOf, sendJson } from './router.ts'
import type { Written } from './view.ts'

/** Liveness. `faults` lists what prevents serving: 200 when empty, else 503 with the list. */
export function healthHandler(faults: () => string[]): Handler {
  return probe('/healthz', 'failing', faults)
}

/** A fault as shown to everybody: the meaning of its code. Its message may contain paths of this machine. */
export function openFault({ code }: Pick<Problem, 'code'>): string {
  return `${code} ${codeInfo(code).meaning}`
}

/** Readiness. `missing` lists what is not available: the listing of a pool's instances, or the demand. */
export function readyHandler(missing: () => string[]): Handler {
  return probe('/readyz', 'not ready', missing)
}

function probe(path: string, failing: string, faultsOf: () => string[]): Handler {
  return (request, response) => {
    if (!reads(request, path)) return false
    const faults = faultsOf()
    return sendJson(response, faults.length ? 503 : 200, { status: faults.length ? failing : 'ok', faults })
  }
}

/** The product name in `GET /info`, so that our clients can verify the server before they send a token. */
export const productName = 'dynamic-agent-provisioner'

export type Info = Required<Omit<InfoView, 'product'>>

/** GET /info of a provisioner without a built-in master. */
export function infoHandler(info: Info): Handler {
  return (request, response) => {
    if (!reads(request, '/info')) return false
    return sendJson(response, 200, infoView(info))
  }
}

/** `info` may have more fields, for other clients. */
export function infoView<Known extends Info>(info: Known): Known & Written<InfoView> {
  return { ...info, product: productName }
}

export interface MetricsSource {
  /** The whole page, for Prometheus. */
  render(): Promise<string>
  contentType: string
}

export function metricsHandler({ render, contentType }: MetricsSource): Handler {
  return async (request, response) => {
    if (!reads(request, '/metrics')) return false
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

function reads(request: IncomingMessage, path: string): boolean {
  return pathOf(request) === path && ['GET', 'HEAD'].includes(request.method ?? '')
}
