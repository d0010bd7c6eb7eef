// The Metrics port for Prometheus. Names begin with `provisioner_`; counters end with `_total`, as its conventions require.
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Labels, Metrics } from './ports.ts'

export interface PrometheusMetrics extends Metrics {
  /** Removes every value of a gauge, so that only values set afterwards remain. */
  clear(name: MetricName): void
  /** The body of `GET /metrics` (text format 0.0.4). */
  render(): Promise<string>
  readonly contentType: string
}

/** Each name must be in `metricTable`, or the call throws: every metric needs a description. */
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
  if (!metric) throw new TypeError(`unknown metric: ${name}`)
  return metric
}

// All metrics with their descriptions and labels. docs/operate/operations.md shows this table.

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
    help: 'Instances that decisions were made about, by move and reason.',
    labels: ['pool', 'move', 'reason'],
  },
  joins: {
    kind: 'counter',
    help: 'Requests to the join endpoint by outcome (issued, renewed, refused, limited, unavailable) and code.',
    labels: ['outcome', 'code'],
  },
  launched_instances: {
    kind: 'counter',
    help: 'Instances the cloud launched, by offering.',
    labels: ['pool', 'offering'],
  },
  launch_failures: {
    kind: 'counter',
    help: 'Rejected launch calls by class (capacity, quota, throttle, config, auth, transient) and offering.',
    labels: ['pool', 'class', 'offering'],
  },
  failed_instances: {
    kind: 'counter',
    help: 'Failed instances: those that never became usable agents.',
    labels: ['pool'],
  },
  launch_reaction_seconds: {
    kind: 'histogram',
    help: 'From the demand update that shows a waiting job to the launch call.',
    labels: ['pool'],
    buckets: quick,
  },
  join_seconds: {
    kind: 'histogram',
    help: 'From the launch of an instance until it runs (stage running) and until its agent has joined (stage joined).',
    labels: ['pool', 'stage'],
    buckets: boots,
  },
  turn_seconds: {
    kind: 'histogram',
    help: 'Duration of one reconcile loop, from the snapshot to the calls being sent.',
    labels: ['pool'],
    buckets: quick,
  },
  call_seconds: {
    kind: 'histogram',
    help: 'Duration of calls to the cloud and to the master, by outcome (done, partial, failed). Without a pool: listings that all pools of a location share.',
    labels: ['pool', 'call', 'outcome'],
    buckets: calls,
  },
  instances: {
    kind: 'gauge',
    help: 'Instances by state; joined are running ones whose agent is connected.',
    labels: ['pool', 'state'],
  },
  drifted_instances: {
    kind: 'gauge',
    help: 'Instances that differ from what their pool launches now (docs/rollouts.md).',
    labels: ['pool'],
  },
  rollout_instances: {
    kind: 'gauge',
    help: 'Outdated instances, by what they wait for; leaving: they get no new jobs and are replaced (docs/rollouts.md).',
    labels: ['pool', 'state'],
  },
  orphans: {
    kind: 'gauge',
    help: 'Instances of this cluster that belong to no configured pool, by the pool their tag names.',
    labels: ['pool'],
  },
  pending_allocations: { kind: 'gauge', help: 'Waiting allocations.', labels: ['pool'] },
  launches_in_flight: {
    kind: 'gauge',
    help: 'Instances requested from the cloud whose launch is not confirmed yet.',
    labels: ['pool'],
  },
  blocked: {
    kind: 'gauge',
    help: '1 for each reason that currently blocks a change.',
    labels: ['pool', 'reason'],
  },
  certificate_expiry_timestamp_seconds: {
    kind: 'gauge',
    help: "When the master's certificate chain expires (the first of its certificates), in seconds since the epoch.",
    labels: [],
  },
  build_info: {
    kind: 'gauge',
    help: 'Always 1; the version is a label.',
    labels: ['version'],
  },
} as const satisfies Record<string, MetricInfo>

export type MetricName = keyof typeof metricTable
