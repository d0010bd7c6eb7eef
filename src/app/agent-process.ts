// The built-in agent as a process of its own: options, log, signals.
import { readAgentOptions } from '../agent/read-options.ts'
import { runAgent } from '../agent/run-agent.ts'
import { isError, type Problem } from '../model/problem.ts'
import { systemClock } from '../platform/clock.ts'
import { createLogger, type LogLevel } from '../telemetry/log.ts'

export interface AgentProcess {
  /** Arguments after the command's name. */
  argv: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  version: string
  write: (line: string) => void
  tell: (problems: Problem[]) => void
}

/** The levels of agent.yaml are logrus's. */
const levels: Record<string, LogLevel> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
}

/** Runs until it is told to end or has to; gives the exit status. */
export async function runAgentProcess({ argv, env, version, write, tell }: AgentProcess): Promise<0 | 1> {
  const { options, problems } = readAgentOptions({ argv, env })
  tell(problems)
  if (!options || problems.some(isError)) return 1
  const level = levels[options.logLevel] ?? 'error'
  const logger = createLogger({ format: 'text', level, clock: systemClock, write })
  const stop = new AbortController()
  const signals = ['SIGINT', 'SIGTERM'] as const
  const onSignal = (signal: NodeJS.Signals) => stop.abort(new Error(`ended by ${signal}`))
  for (const signal of signals) process.once(signal, onSignal)
  try {
    return await runAgent({ options, env, version, clock: systemClock, logger, signal: stop.signal })
  } finally {
    for (const signal of signals) process.off(signal, onSignal)
  }
}
