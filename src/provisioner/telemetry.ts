// What a running provisioner reports about itself: metrics, readiness, and the logs of what happens to its pools.
import type { FleetEvent, OrphanStatus, PoolStatus } from '../fleet/index.ts'
import { metricsHandler, readyHandler } from '../http/index.ts'
import type { TlsCredentials } from '../pki/index.ts'
import {
  type Clock,
  createPrometheusMetrics,
  type Handler,
  type Logger,
  type Metrics,
  type PrometheusMetrics,
} from '../platform/index.ts'
import type { StateStore } from '../state/index.ts'
import { createEventLog } from './event-log.ts'
import type { PoolsStatus } from './pools.ts'

export interface TelemetryOptions {
  store: Pick<StateStore, 'openDecisions'>
  version: string
  status: () => PoolsStatus
  orphans: () => OrphanStatus
  /** Of the master; undefined without TLS. */
  certificate: () => TlsCredentials | undefined
  /** The host that leads while this process does nothing; undefined while it leads. */
  standbyOf: () => string | undefined
  logger: Logger
  clock: Clock
}

export interface Telemetry {
  metrics: Metrics
  /** /metrics and /readyz. */
  handlers: Handler[]
  /** Adds it to the log and to the decision log. */
  onEvent(event: FleetEvent): void
  close(): Promise<void>
}

export function openTelemetry(options: TelemetryOptions): Telemetry {
  const { store, logger, status } = options
  const events = createEventLog(options)
  const metrics = createPrometheusMetrics()
  const log = store.openDecisions({
    onFault: (error) => logger.warn('the decision log cannot be written', { error }),
  })
  return {
    metrics,
    handlers: [
      metricsHandler({
        contentType: metrics.contentType,
        render: () => {
          setGauges(metrics, options)
          return metrics.render()
        },
      }),
      readyHandler(() => {
        const leader = options.standbyOf()
        return leader === undefined ? missingOf(status()) : [`standby: ${leader} leads`]
      }),
    ],
    onEvent(event) {
      events.add(event)
      log.add({ ...event })
    },
    close() {
      events.close()
      return log.close()
    },
  }
}

/** Gauges show the state at the time of the request; they are set again each time, so that no old value stays. */
function setGauges(
  metrics: PrometheusMetrics,
  { version, status, orphans, certificate }: TelemetryOptions,
): void {
  for (const name of [
    'instances',
    'drifted_instances',
    'rollout_instances',
    'orphans',
    'pending_allocations',
    'launches_in_flight',
    'blocked',
  ] as const)
    metrics.clear(name)
  metrics.gauge('build_info', 1, { version })
  const served = certificate()
  if (served) metrics.gauge('certificate_expiry_timestamp_seconds', endOf(served) / 1000)
  for (const pool of status().pools) setPoolGauges(metrics, pool)
  const found = new Map<string, number>()
  for (const { pool } of orphans().orphans) found.set(pool, (found.get(pool) ?? 0) + 1)
  for (const [pool, count] of found) metrics.gauge('orphans', count, { pool })
}

/** Milliseconds since the epoch: when the first certificate of the chain expires. */
function endOf({ path }: TlsCredentials): number {
  return Math.min(...path.certificates.map(({ x509 }) => x509.validToDate.getTime()))
}

function setPoolGauges(
  metrics: Metrics,
  { pool, instances, joined, pending, inFlight, blocked, rollout }: PoolStatus,
): void {
  const states = new Map<string, number>([
    ['starting', 0],
    ['running', 0],
    ['joined', joined],
  ])
  for (const { state } of instances) states.set(state, (states.get(state) ?? 0) + 1)
  for (const [state, count] of states) metrics.gauge('instances', count, { pool, state })
  metrics.gauge('drifted_instances', instances.filter(({ drifted }) => drifted).length, { pool })
  metrics.gauge('rollout_instances', rollout?.leaving ?? 0, { pool, state: 'leaving' })
  for (const [wait, count] of Object.entries(rollout?.waits ?? {}))
    metrics.gauge('rollout_instances', count, { pool, state: wait.toLowerCase() })
  metrics.gauge('pending_allocations', pending, { pool })
  metrics.gauge('launches_in_flight', inFlight, { pool })
  for (const { code } of blocked) metrics.gauge('blocked', 1, { pool, reason: code })
}

const blind: readonly string[] = ['DEMAND_MISSING', 'LISTING_MISSING']

/** A pool that cannot read its cloud or its master does nothing, so it is not ready. */
function missingOf({ pools, failed }: PoolsStatus): string[] {
  return [
    ...pools.flatMap(({ pool, snapshot, blocked }) =>
      snapshot
        ? blocked.filter(({ code }) => blind.includes(code)).map(({ code }) => `pool ${pool}: ${code}`)
        : [`pool ${pool}: not started`],
    ),
    ...failed.map(({ pool, problems }) => `pool ${pool}: ${problems[0]?.code ?? 'failed'}`),
  ]
}
