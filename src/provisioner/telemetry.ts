// What a running provisioner reports about itself: metrics, readiness, and the log of its decisions.
import { join } from 'node:path'
import type { MasterConfig } from '../config/index.ts'
import type { FleetEvent, OrphanStatus, PoolStatus } from '../fleet/index.ts'
import { metricsHandler, readyHandler } from '../http/index.ts'
import type { TlsCredentials } from '../pki/index.ts'
import {
  createPrometheusMetrics,
  type Handler,
  type JournalRecord,
  type Logger,
  type Metrics,
  type PrometheusMetrics,
  shortIds,
} from '../platform/index.ts'
import { type DecisionQuery, openDecisionLog, readDecisionLog } from './decision-log.ts'
import type { PoolsStatus } from './pools.ts'

export interface TelemetryOptions {
  config: Pick<MasterConfig, 'state_dir'>
  version: string
  status: () => PoolsStatus
  orphans: () => OrphanStatus
  /** Of the master; undefined without TLS. */
  certificate: () => TlsCredentials | undefined
  logger: Logger
}

export interface Telemetry {
  metrics: Metrics
  /** /metrics and /readyz. */
  handlers: Handler[]
  onEvent(event: FleetEvent): void
  close(): Promise<void>
}

export function decisionLogFile({ state_dir }: Pick<MasterConfig, 'state_dir'>): string {
  return join(state_dir, 'logs', 'decisions.jsonl')
}

export function openTelemetry(options: TelemetryOptions): Telemetry {
  const { config, logger, status } = options
  const metrics = createPrometheusMetrics()
  const log = openDecisionLog({
    file: decisionLogFile(config),
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
      readyHandler(() => missingOf(status())),
    ],
    onEvent: (event) => log.add({ ...event }),
    close: log.close,
  }
}

/** Gauges show the state at the time of the request; they are set again each time, so that no old value stays. */
function setGauges(
  metrics: PrometheusMetrics,
  { version, status, orphans, certificate }: TelemetryOptions,
): void {
  for (const name of [
    'instances',
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
  { pool, instances, joined, pending, inFlight, blocked }: PoolStatus,
): void {
  const states = new Map<string, number>([
    ['starting', 0],
    ['running', 0],
    ['joined', joined],
  ])
  for (const { state } of instances) states.set(state, (states.get(state) ?? 0) + 1)
  for (const [state, count] of states) metrics.gauge('instances', count, { pool, state })
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

// What happens to a pool, in the log.

export function tellEvent(logger: Logger, event: FleetEvent): void {
  const { pool } = event
  if (event.kind === 'problem') {
    const { code, message, remedy, severity } = event.problem
    const log = severity === 'error' ? logger.error : logger.warn
    log(message, { pool, code, remedy })
    return
  }
  if (event.kind === 'blocked') {
    if (event.reasons.length === 0) logger.info('no longer blocked', { pool })
    for (const { code, numbers } of event.reasons)
      logger.info('blocked', { pool, code, ...readable(numbers) })
    return
  }
  const ids = shortIds(event.ids)
  if (event.kind === 'decided') {
    const { code, numbers } = event.reason
    logger.info(`decided to ${event.move}`, { pool, ids, count: event.count, code, ...readable(numbers) })
  } else if (event.kind === 'launched') {
    const { length: count } = event.ids
    const missing = event.missing || undefined
    if (count === 0) logger.info('launch refused', { pool, missing })
    else logger.info('launched', { pool, ids, count, missing })
  } else {
    // The master has already logged it, by agent.
    logger.debug(event.kind, { pool, ids, count: event.ids.length })
  }
}

/** Times are RFC 3339 here, because people read them. */
function readable(numbers: Readonly<Record<string, number>>): Record<string, number | string> {
  return Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [
      name,
      /(?:At|Since|until)$/i.test(name) && Number.isFinite(value) ? new Date(value).toISOString() : value,
    ]),
  )
}

// The decision log of a state folder, whether its provisioner runs or not.

/** Oldest first. */
export function readDecisions(
  config: Pick<MasterConfig, 'state_dir'>,
  query: DecisionQuery,
): JournalRecord[] {
  return readDecisionLog(decisionLogFile(config), query)
}
