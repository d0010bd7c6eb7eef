// `provision simulate`: a pool of the configuration, run on a trace of jobs in virtual time.

import type { ProvidedPool } from '../agent-setup/index.ts'
import { codeFrame, type MasterConfig } from '../config/index.ts'
import type { PoolSettings } from '../fleet/index.ts'
import { formatDuration, nearest } from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import type { AnyProvider } from '../providers/index.ts'
import { choosePool, poolSettings } from '../provisioner/index.ts'
import { type CompareOptions, type Comparison, compare, rounded } from './compare.ts'
import { exampleTrace } from './example-trace.ts'
import type { FaultKind } from './scenario.ts'
import { readTrace, type Trace } from './trace.ts'
import { type Assumptions, allTrialFaults, trialFaults } from './trial.ts'

export { exampleTrace }

export interface SimulateOptions {
  config: MasterConfig
  /** Every kind of provider there is. */
  providers: readonly AnyProvider[]
  /** Default: the only pool. */
  pool?: string
  /** CSV; `name` is its name in problems. */
  trace: { text: string; name: string }
  /** Milliseconds from launch to join, drawn evenly. */
  boot: { least: number; most: number }
  /** Milliseconds within which the scheduler places jobs. */
  placesWithin: number
  /** Names of faults; `all` selects all of them. */
  faults: readonly string[]
  seed: string
  onProgress?: CompareOptions['onProgress']
  signal?: AbortSignal
}

/** Milliseconds within which a connection breaks when its VM is shut down. */
const missedWithin = 10_000

/** Throws a ProvisionError for an invalid pool, trace or assumption; `signal`'s reason when aborted. */
export async function simulate(options: SimulateOptions): Promise<SimulationReport> {
  const { config, trace: source, boot, placesWithin, seed, onProgress, signal } = options
  const pool = choosePool(config, options.pool)
  const settings = poolSettings(pool, options.providers)
  const faults = faultsOf(options.faults)
  const { bootTimeout } = settings.policy
  if (boot.most >= bootTimeout) throw neverJoins(boot.most, bootTimeout)
  const trace = traceOf(source)
  const polled = config.demand.type === 'determined'
  const assumptions = { seed, boot, placesWithin, missedWithin, faults, polled }
  const { prices } = config
  const comparison = await compare({ trace, settings, assumptions, prices, onProgress, signal })
  return simulationReport({ config, pool, settings, trace, traceName: source.name, assumptions, comparison })
}

function faultsOf(names: readonly string[]): FaultKind[] {
  if (names.includes('all')) return allTrialFaults
  for (const name of names) {
    if (trialFaults.some((kind) => kind === name)) continue
    const meant = nearest(name, trialFaults)
    const remedy = meant ? `Did you mean ${meant}?` : `The faults are: all, ${trialFaults.join(', ')}.`
    throw new ProvisionError(problem('USAGE', `--faults has no ${JSON.stringify(name)}`, { remedy }))
  }
  return trialFaults.filter((kind) => names.includes(kind))
}

function neverJoins(boot: number, timeout: number): ProvisionError {
  const message = `instances that need ${formatDuration(boot)} to join (--boot) do not join within boot_timeout, ${formatDuration(timeout)}`
  return new ProvisionError(
    problem('USAGE', message, { remedy: 'Raise boot_timeout of the pool, or use a shorter --boot.' }),
  )
}

/** Throws TRACE_* problems, each with the lines around its location. */
function traceOf({ text, name }: SimulateOptions['trace']): Trace {
  const read = readTrace(text, name)
  if ('trace' in read) return read.trace
  const lines = text.split(/\r?\n/)
  throw new ProvisionError(read.problems.map((found) => framed(found, lines)))
}

function framed(found: Problem, lines: string[]): Problem {
  const { line, column } = found.where ?? {}
  if (line === undefined || column === undefined) return found
  const length = /^[^,]*/.exec(lines[line - 1]?.slice(column - 1) ?? '')?.[0].trimEnd().length ?? 1
  return {
    ...found,
    where: { ...found.where!, frame: codeFrame(lines, { line, column, length }, () => false) },
  }
}

// The output of `provision simulate --format json`: a stable format for programs, documented in docs/simulate.md.

export interface SimulationInput {
  config: MasterConfig
  pool: ProvidedPool
  settings: PoolSettings
  trace: Trace
  traceName: string
  assumptions: Assumptions
  comparison: Comparison
}

export type SimulationReport = ReturnType<typeof simulationReport>

export function simulationReport(input: SimulationInput) {
  const { config, pool, settings, trace, traceName, assumptions, comparison } = input
  const { policy, offerings } = settings
  const seconds = (ms: number) => rounded(ms / 1000)
  return {
    pool: pool.pool_name,
    config: config.file,
    trace: {
      file: traceName,
      jobs: trace.jobs.length,
      spanSeconds: seconds(trace.jobs.at(-1)!.at),
      slotHours: rounded(trace.jobs.reduce((sum, job) => sum + job.slots * job.duration, 0) / 3_600_000),
      beginsAt: trace.beginsAt === undefined ? null : new Date(trace.beginsAt).toISOString(),
    },
    policy: {
      minInstances: policy.minInstances,
      maxInstances: policy.maxInstances,
      maxIdleSeconds: seconds(policy.maxIdle),
      bootTimeoutSeconds: seconds(policy.bootTimeout),
      launchRatePerHour: policy.launchRate,
      maxAuxPerAgent: policy.maxAuxPerAgent,
      offerings: offerings.map(({ instanceType, zone, capacityType, slots }) => ({
        instanceType,
        zone,
        capacityType,
        slots,
      })),
    },
    assumptions: {
      seed: assumptions.seed,
      bootSeconds: { least: seconds(assumptions.boot.least), most: seconds(assumptions.boot.most) },
      placementSeconds: seconds(assumptions.placesWithin),
      lostConnectionSeconds: seconds(assumptions.missedWithin),
      demand: assumptions.polled ? 'polled' : 'pushed',
      faults: [...assumptions.faults],
    },
    ...comparison,
  }
}
