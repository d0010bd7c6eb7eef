// The Metrics port for Prometheus. Names begin with `provisioner_`; counters end with `_total`, as its rules ask for.
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { type MetricInfo, type MetricName, metricTable } from './metric-names.ts'
import type { Labels, Metrics } from './ports.ts'

export interface PrometheusMetrics extends Metrics {
  /** Forgets every value of a gauge: what is not set again since is gone. */
  clear(name: MetricName): void
  /** What `GET /metrics` answers (text format 0.0.4). */
  render(): Promise<string>
  readonly contentType: string
}

/** Each name must be in `metricTable`, or the call throws: a metric without a description helps nobody. */
export function createPrometheusMetrics(): PrometheusMetrics {
  const registry = new Registry()
  const counters = new Map<string, Counter>()
  const gauges = new Map<string, Gauge>()
  const histograms = new Map<string, Histogram>()
  const table: Record<string, MetricInfo> = metricTable
  for (const [name, { kind, help, labels, buckets = [] }] of Object.entries(table)) {
    const common = { help, labelNames: labels, registers: [registry] }
    const own = `provisioner_${name}`
    if (kind === 'counter') counters.set(name, new Counter({ ...common, name: `${own}_total` }))
    else if (kind === 'gauge') gauges.set(name, new Gauge({ ...common, name: own }))
    else histograms.set(name, new Histogram({ ...common, name: own, buckets: [...buckets] }))
  }
  return {
    count: (name, labels = {}, by = 1) => find(counters, name).inc(labels, by),
    gauge: (name, value, labels = {}) => find(gauges, name).set(labels, value),
    observe: (name, seconds, labels: Labels = {}) => find(histograms, name).observe(labels, seconds),
    clear: (name) => find(gauges, name).reset(),
    render: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

function find<T>(metrics: ReadonlyMap<string, T>, name: string): T {
  const metric = metrics.get(name)
  if (!metric) throw new TypeError(`there is no such metric: ${name}`)
  return metric
}
