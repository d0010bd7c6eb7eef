// The process around the built-in agent: its options, its log, its signals.

import { systemClock } from '../../platform/clock.ts'
import { createLogger, type LogLevel } from '../../platform/log.ts'
import { tellProblems } from '../../platform/tell-problems.ts'
import { ProvisionError } from '../../problems/problem.ts'
import { readAgentOptions } from './read-options.ts'
import { runAgent } from './run-agent.ts'

export interface AgentProcess {
  argv: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  version: string
  write: (line: string) => void
}

/** Exit status of the agent. Throws a ProvisionError when its options leave nothing to run. */
export async function runAgentProcess({ argv, env, version, write }: AgentProcess): Promise<0 | 1> {
  const { options, problems } = readAgentOptions({ argv, env })
  if (!options) throw new ProvisionError(problems)
  const level = levels[options.logLevel] ?? 'info'
  const logger = createLogger({ format: 'text', level, clock: systemClock, write })
  tellProblems(logger, problems)
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
  return runAgent({ options, env, version, clock: systemClock, logger, signal: stopping.signal })
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
