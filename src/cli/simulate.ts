// `provision simulate`: what a pool would have done with a trace of jobs, and what the origin would.

import { loadConfig } from '../config/load.ts'
import { parseDuration } from '../platform/duration.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import type { SimulationReport } from '../simulator/simulate.ts'
import type { CommandContext } from './command.ts'
import { type ExitStatus, exitStatusOf } from './exit.ts'
import { simulationText } from './simulate-text.ts'
import { simulationProgress } from './simulation-progress.ts'
import { sayProblems, type Terminal } from './terminal.ts'
import { readTraceText } from './trace-text.ts'

interface Options {
  config: string
  jobs?: string
  /** A list when it stood before `simulate`. */
  pool?: string | string[]
  boot: string
  placement: string
  faults?: string
  seed: string
  example?: boolean
  format: 'text' | 'json'
}

const longestDelay = 24 * 3_600_000

export async function run(options: Options, context: CommandContext): Promise<ExitStatus> {
  const { terminal, env } = context
  const { simulate, exampleTrace } = await import('../simulator/simulate.ts')
  if (options.example) {
    terminal.out(exampleTrace())
    return 0
  }
  if (options.jobs === undefined)
    throw usage('there are no jobs to simulate', 'Name a trace with --jobs; `--example` prints one.')
  const boot = rangeOf('--boot', options.boot)
  const placesWithin = timeOf('--placement', options.placement)
  const { config, problems } = loadConfig(options.config, { env })
  sayProblems(terminal, problems)
  if (!config) return exitStatusOf(problems)

  const trace = await readTraceText(options.jobs, context.cwd)
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt)
  const progress = simulationProgress(terminal)
  try {
    const report = await simulate({
      config,
      trace,
      boot,
      placesWithin,
      pool: [options.pool].flat().at(-1),
      faults: options.faults?.split(',').map((name) => name.trim()) ?? [],
      seed: options.seed,
      onProgress: progress.show,
      signal: interrupted.signal,
    })
    progress.close()
    print(report, options.format, terminal)
    return 0
  } catch (error) {
    progress.close()
    if (!interrupted.signal.aborted) throw error
    terminal.say('Interrupted: there is no outcome.')
    return 1
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt)
  }
}

function print(report: SimulationReport, format: Options['format'], { out }: Terminal): void {
  if (format === 'json') out(`${JSON.stringify(report, undefined, 2)}\n`)
  else out(`${simulationText(report).join('\n')}\n`)
}

function timeOf(flag: string, text: string): number {
  const { least, most } = rangeOf(flag, text)
  if (least === most) return most
  throw usage(`${flag} takes one time, not a range`, `Write it as ${text.split('-')[1]}.`)
}

/** `90s`, or `60s-3m`: milliseconds. */
function rangeOf(flag: string, text: string): { least: number; most: number } {
  const bounds = text.split('-').map((part) => parseDuration(part.trim()))
  const [least, most = least] = bounds
  const isRange = least !== undefined && most !== undefined && bounds.length <= 2 && least <= most
  if (isRange && most <= longestDelay) return { least: Math.round(least), most: Math.round(most) }
  throw usage(`${flag} ${JSON.stringify(text)} is no time up to 24h`, 'Write it as 90s, or as 60s-3m.')
}

function usage(message: string, remedy: string): ProvisionError {
  return new ProvisionError(problem('USAGE', message, { remedy }))
}
