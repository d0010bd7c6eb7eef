// `provision simulate`: runs a pool on a trace of jobs, and compares it with Determined's provisioner.
import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { formatDuration, parseDuration } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import { type CliCommand, configFlag, formatFlag } from './command.ts'
import { progressOn } from './progress.ts'
import { simulationText } from './simulate-text.ts'
import { exitStatusOf, printJson, sayProblems, usage } from './terminal.ts'

const longestDelay = 24 * 3_600_000

export function declareSimulate(program: CliCommand): void {
  const command = program.command(
    'simulate',
    "simulate a pool on a trace of jobs: wait times, instance-hours and cost, compared with Determined's provisioner",
  )
  const jobs = command.text(
    '--jobs <file>',
    'the trace: CSV with the columns submit,slots,duration; - reads standard input',
  )
  const pool = command.text('--pool <name>', 'the pool (default: the only one)')
  const bootTime = command.textOr(
    '--boot <time>',
    'time from the launch of an instance until its agent joins, such as 90s or 60s-3m',
    '90s',
  )
  const placement = command.textOr(
    '--placement <time>',
    'maximum time the scheduler takes to place a job',
    '500ms',
  )
  const faults = command.text(
    '--faults <names>',
    'inject these faults in every hour, such as stock_out,never_joins; or all',
  )
  const seed = command.textOr('--seed <text>', 'the same seed gives the same outcome', '1')
  const example = command.toggle('--example', 'print an example trace and exit')
  const configFile = configFlag(command)
  const format = formatFlag(command)

  command.action(async ({ terminal, env, cwd }) => {
    const { simulate, exampleTrace } = await import('../simulator/index.ts')
    if (example.value) {
      terminal.out(exampleTrace())
      return 0
    }
    if (jobs.value === undefined)
      throw usage('--jobs is missing', 'Name a trace with --jobs; `provision simulate --example` prints one.')
    const boot = rangeOf('--boot', bootTime.value)
    const placesWithin = timeOf('--placement', placement.value)
    const { loadConfig } = await import('../config/index.ts')
    const { builtInProviders: providers } = await import('../providers/index.ts')
    const { config, problems } = loadConfig(configFile.value, { env, providers })
    sayProblems(terminal, problems)
    if (!config) return exitStatusOf(problems)

    const trace = await readTraceText(jobs.value, cwd)
    const interrupted = new AbortController()
    const interrupt = () => interrupted.abort()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt)
    const progress = await progressOn(terminal)
    try {
      const report = await simulate({
        config,
        trace,
        boot,
        placesWithin,
        pool: pool.value,
        providers,
        faults: faults.value?.split(',').map((name) => name.trim()) ?? [],
        seed: seed.value,
        onProgress: (policy, at) => progress.show(progressWords(policy, at)),
        signal: interrupted.signal,
      })
      progress.close()
      if (format.value === 'json') printJson(terminal, report)
      else terminal.out(`${(await simulationText(report)).join('\n')}\n`)
      return 0
    } catch (error) {
      progress.close()
      if (!interrupted.signal.aborted) throw error
      terminal.say('Interrupted: no report.')
      return 1
    } finally {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt)
    }
  })
}

function timeOf(flag: string, text: string): number {
  const { least, most } = rangeOf(flag, text)
  if (least === most) return most
  throw usage(`${flag} takes one duration, not a range`, `Write it as ${text.split('-')[1]}.`)
}

/** `90s`, or `60s-3m`: milliseconds. */
function rangeOf(flag: string, text: string): { least: number; most: number } {
  const bounds = text.split('-').map((part) => parseDuration(part.trim()))
  const [least, most = least] = bounds
  const isRange = least !== undefined && most !== undefined && bounds.length <= 2 && least <= most
  if (isRange && most <= longestDelay) return { least: Math.round(least), most: Math.round(most) }
  throw usage(`${flag} ${JSON.stringify(text)} is not a duration up to 24h`, 'Write it as 90s, or as 60s-3m.')
}

const largestFile = 64 * 1024 * 1024

/**
 * The text of a file or of standard input (`-`), not parsed yet. Throws TRACE_UNREADABLE, TRACE_TOO_LARGE or
 * TRACE_NOT_CSV.
 */
async function readTraceText(jobs: string, cwd: string): Promise<{ text: string; name: string }> {
  const name = jobs === '-' ? 'standard input' : jobs
  const where = { file: name }
  const parts: Buffer[] = []
  let size = 0
  try {
    for await (const part of jobs === '-' ? process.stdin : createReadStream(resolve(cwd, jobs))) {
      parts.push(part)
      size += part.length
      if (size > largestFile) break
    }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause)
    const why =
      code === 'ENOENT' ? `file not found: ${resolve(cwd, jobs)}` : `the file cannot be read (${code})`
    throw new ProvisionError(problem('TRACE_UNREADABLE', why, { where, cause }))
  }
  if (size > largestFile)
    throw new ProvisionError(problem('TRACE_TOO_LARGE', 'the trace is larger than 64 MiB', { where }))
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    return { text: decoder.decode(Buffer.concat(parts)), name }
  } catch (cause) {
    throw new ProvisionError(problem('TRACE_NOT_CSV', 'the file is not UTF-8 text', { where, cause }))
  }
}

const minute = 60_000
const names = { provisioner: 'This provisioner', determined: "Determined's provisioner" }

/** `elapsed` is virtual milliseconds. */
function progressWords(
  policy: keyof typeof names,
  { elapsed, finished, submitted }: { elapsed: number; finished: number; submitted: number },
): string {
  const time = formatDuration(Math.floor(elapsed / minute) * minute)
  return `${names[policy]}: ${time} simulated, ${finished} of ${submitted} jobs done`
}
