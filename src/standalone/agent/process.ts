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

/** Milliseconds from SIGTERM to the exit, even if something hangs: less than the 10 s of docker and local pools. */
const longestEnd = 8000

/**
 * Runs the agent and ends this process with its exit status. Throws a ProvisionError when the options are invalid. Tasks
 * are separate processes and keep running (the next agent takes them over), so the exit does not wait for them.
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
      logger.warn('exited after the timeout', { waited_ms: longestEnd })
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
  // Not `exitCode`: an open connection, a timer or a child process could keep this process running, and docker, systemd
  // and the startup script would wait for it. No log line is lost: the log is written synchronously.
  return process.exit(status)
}

/** Maps the log levels of Determined's agent (logrus). Its default, `trace`, becomes `info`. */
const levels: Record<string, LogLevel> = {
  panic: 'error',
  fatal: 'error',
  error: 'error',
  warn: 'warn',
  warning: 'warn',
  debug: 'debug',
}

// The output of `provision agent --help`: the agent owns its options, not the CLI.

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
    "Runs the built-in agent. Flags, variables and the keys of --config-file are those of Determined's agent.",
    '',
    ...rows.map(([flag, variable]) => `  ${flag!.padEnd(width)}  ${variable}`),
    '',
  ].join('\n')
}
