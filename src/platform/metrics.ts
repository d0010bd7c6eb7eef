// The Metrics port for Prometheus. Names begin with `provisioner_`; counters end with `_total`, as its rules ask for.
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
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

// Every metric there is: its name, what it tells, and its labels. docs/operate/operations.md shows this table.

export interface MetricInfo {
  kind: 'counter' | 'gauge' | 'histogram'
  help: string
  labels: readonly string[]
  /** Upper bounds in seconds. */
  buckets?: readonly number[]
}

const quick = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
const calls = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
const boots = [5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800]

export const metricTable = {
  decisions: {
    kind: 'counter',
    help: 'What was decided: VMs by move and reason.',
    labels: ['pool', 'move', 'reason'],
  },
  launched_vms: {
    kind: 'counter',
    help: 'VMs the cloud gave, by offering.',
    labels: ['pool', 'offering'],
  },
  launch_failures: {
    kind: 'counter',
    help: 'Refusals of launch calls by class (capacity, quota, throttle, config, auth, transient) and offering.',
    labels: ['pool', 'class', 'offering'],
  },
  useless_vms: {
    kind: 'counter',
    help: 'VMs that never became usable agents.',
    labels: ['pool'],
  },
  launch_reaction_seconds: {
    kind: 'histogram',
    help: "From the master's word that work waits to the launch call.",
    labels: ['pool'],
    buckets: quick,
  },
  join_seconds: {
    kind: 'histogram',
    help: 'From the launch of a VM until it runs (stage running) and until its agent has joined (stage joined).',
    labels: ['pool', 'stage'],
    buckets: boots,
  },
  turn_seconds: {
    kind: 'histogram',
    help: 'How long one turn of the loop takes: from what is known to calls under way.',
    labels: ['pool'],
    buckets: quick,
  },
  call_seconds: {
    kind: 'histogram',
    help: 'Calls to the cloud and to the master, with their outcome (done, partial, failed).',
    labels: ['pool', 'call', 'outcome'],
    buckets: calls,
  },
  instances: {
    kind: 'gauge',
    help: 'VMs by state; joined are running ones whose agent is connected.',
    labels: ['pool', 'state'],
  },
  orphans: {
    kind: 'gauge',
    help: 'Instances of this cluster that belong to no configured pool, by the pool their tag names.',
    labels: ['pool'],
  },
  pending_work: { kind: 'gauge', help: 'Pieces of work that wait.', labels: ['pool'] },
  launches_in_flight: {
    kind: 'gauge',
    help: 'VMs asked for and not known yet.',
    labels: ['pool'],
  },
  holds: {
    kind: 'gauge',
    help: '1 for each reason why something that is wanted does not happen now.',
    labels: ['pool', 'reason'],
  },
  certificate_expiry_timestamp_seconds: {
    kind: 'gauge',
    help: "When the master's certificate ends, in seconds since the epoch; the first of its chain to end.",
    labels: [],
  },
  info: {
    kind: 'gauge',
    help: 'Always 1; the version is a label.',
    labels: ['version'],
  },
} as const satisfies Record<string, MetricInfo>

export type MetricName = keyof typeof metricTable
