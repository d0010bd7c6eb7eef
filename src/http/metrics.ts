// GET /metrics: numbers for Prometheus.
import type { Handler } from '../platform/ports.ts'
import { pathOf } from './http-answers.ts'

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
