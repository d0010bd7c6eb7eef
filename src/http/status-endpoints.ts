// What anybody may ask of a server of ours: GET /healthz, /readyz, /info and /metrics.
import type { IncomingMessage } from 'node:http'
import type { Handler } from '../platform/index.ts'
import { codeInfo, type Problem } from '../problems/index.ts'
import type { InfoView } from './info-view.ts'
import { pathOf, sendJson } from './router.ts'
import type { Written } from './view.ts'

/** Alive, and willing to serve. `faults` names what keeps us from serving: 200 when empty, else 503 with the list. */
export function healthHandler(faults: () => string[]): Handler {
  return probe('/healthz', 'failing', faults)
}

/** A fault in words for everybody: what its code means. Its message may name files of this machine. */
export function openFault({ code }: Pick<Problem, 'code'>): string {
  return `${code} ${codeInfo(code).meaning}`
}

/** `missing` names what is not there yet, or not any more: a listing of a pool's VMs, the master's word. */
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

/** What our servers call themselves in `GET /info`, so that our clients know one of ours before they show a token. */
export const productName = 'dynamic-agent-provisioner'

export type Info = Required<Omit<InfoView, 'product'>>

/** GET /info where no master answers it. */
export function infoHandler(info: Info): Handler {
  return (request, response) => {
    if (!reads(request, '/info')) return false
    return sendJson(response, 200, infoView(info))
  }
}

/** `info` may hold more, for clients of others. */
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
