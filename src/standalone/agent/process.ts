// The process around the built-in agent: its options, its log, its signals.
import { createLogger, type LogLevel, systemClock, tellProblems } from '../../platform/index.ts'
import { ProvisionError } from '../../problems/index.ts'
import {
  flagOf,
  type OptionKind,
  readAgentOptions,
  settableNames,
  settableOptions,
  variableOf,
} from './options.ts'
import { runAgent } from './run-agent.ts'

export interface AgentProcess {
  argv: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  version: string
  write: (line: string) => void
}

/** Milliseconds from SIGTERM to the end, whatever hangs: less than the 10 s that docker and our local pools wait. */
const longestEnd = 8000

/**
 * Runs the agent and ends this process with its exit status. Throws a ProvisionError when its options leave nothing to
 * run. Tasks are processes of their own and go on (the next agent takes them over), so none is waited for.
 */
export async function runAgentProcess({ argv, env, version, write }: AgentProcess): Promise<never> {
  const { options, problems } = readAgentOptions({ argv, env })
  if (!options) throw new ProvisionError(problems)
  const level = levels[options.logLevel] ?? 'info'
  const logger = createLogger({ format: 'text', level, clock: systemClock, write })
  tellProblems(logger, problems)
  const stopping = new AbortController()
  const stop = () => {
    if (stopping.signal.aborted) return
    stopping.abort()
    setTimeout(() => {
      logger.warn('ended without waiting any longer', { waited_ms: longestEnd })
      process.exit(0)
    }, longestEnd)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  const status = await runAgent({
    options,
    env,
    version,
    clock: systemClock,
    logger,
    signal: stopping.signal,
  })
  // Not by `exitCode`: a connection, a timer or a child process that is left would keep this process for ever, and with it
  // docker's restart, systemd and the startup script. Nothing is lost: the log is written synchronously.
  return process.exit(status)
}

/** The real agent's words (logrus) in ours; `trace` is its default and says no more than `info` does here. */
const levels: Record<string, LogLevel> = {
  panic: 'error',
  fatal: 'error',
  error: 'error',
  warn: 'warn',
  warning: 'warn',
  debug: 'debug',
}

// What `provision agent --help` prints: the options live with the agent, of which the command line knows nothing.

const values: Record<OptionKind, string> = { text: ' <text>', number: ' <n>', flag: '[=true|false]' }

/** A line for each option, with a final newline. */
export function agentHelp(): string {
  const rows = settableNames.map((name) => [
    `${flagOf(name)}${values[settableOptions[name]]}`,
    variableOf(name),
  ])
  const width = Math.max(...rows.map(([flag]) => flag!.length))
  return [
    'Usage: provision agent [run] [flags]',
    '',
    "Runs the built-in agent. Flags, variables and the keys of --config-file are the real agent's.",
    '',
    ...rows.map(([flag, variable]) => `  ${flag!.padEnd(width)}  ${variable}`),
    '',
  ].join('\n')
}
