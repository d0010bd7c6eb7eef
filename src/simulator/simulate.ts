// `provision simulate`: a pool of the configuration, run on a trace of jobs in virtual time.
import { codeFrame } from '../config/code-frame.ts'
import type { MasterConfig } from '../config/master-config.ts'
import { formatDuration } from '../platform/duration.ts'
import { nearest } from '../platform/nearest.ts'
import { type Problem, ProvisionError, problem } from '../problems/problem.ts'
import { choosePool } from '../provisioner/choose-pool.ts'
import { poolSettings } from '../provisioner/pool-settings.ts'
import { allTrialFaults, trialFaults } from './assumptions.ts'
import { type CompareOptions, compare } from './compare.ts'
import { exampleTrace } from './example-trace.ts'
import type { FaultKind } from './fault-kinds.ts'
import { type SimulationReport, simulationReport } from './simulation-report.ts'
import { readTrace } from './trace.ts'
import type { Trace } from './trace-trace.ts'

export { exampleTrace }

export interface SimulateOptions {
  config: MasterConfig
  /** The only one without it. */
  pool?: string
  /** CSV; `name` is what problems call it. */
  trace: { text: string; name: string }
  /** Milliseconds from launch to join, drawn evenly. */
  boot: { least: number; most: number }
  /** Milliseconds within which the scheduler places work. */
  placesWithin: number
  /** Names of the menu; `all` is all of it. */
  faults: readonly string[]
  seed: string
  onProgress?: CompareOptions['onProgress']
  signal?: AbortSignal
}

/** How soon a connection breaks when its VM is shut down. */
const missedWithin = 10_000

/** Throws a ProvisionError for what is wrong with the pool, the trace or the assumptions; `signal`'s reason when aborted. */
export async function simulate(options: SimulateOptions): Promise<SimulationReport> {
  const { config, trace: source, boot, placesWithin, seed, onProgress, signal } = options
  const pool = choosePool(config, options.pool)
  const settings = poolSettings(pool)
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
    const remedy = meant ? `Did you mean ${meant}?` : `The menu: all, ${trialFaults.join(', ')}.`
    throw new ProvisionError(problem('USAGE', `--faults has no ${JSON.stringify(name)}`, { remedy }))
  }
  return trialFaults.filter((kind) => names.includes(kind))
}

function neverJoins(boot: number, timeout: number): ProvisionError {
  const message = `VMs that need ${formatDuration(boot)} to join (--boot) do not join within boot_timeout, ${formatDuration(timeout)}`
  return new ProvisionError(
    problem('USAGE', message, { remedy: 'Raise boot_timeout of the pool, or give a shorter --boot.' }),
  )
}

/** Throws TRACE_* problems, each with the lines around its place. */
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
