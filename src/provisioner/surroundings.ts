// What a check needs of this process.
import { systemClock } from '../platform/clock.ts'
import { createLogger } from '../platform/log.ts'
import type { CheckOptions } from './check.ts'
import { localAgentCommand } from './local-agent.ts'

/** Only what a provider cannot say in a row is logged. */
export function checkSurroundings(
  write: (line: string) => void,
): Pick<CheckOptions, 'clock' | 'logger' | 'localAgent'> {
  const logger = createLogger({ format: 'text', level: 'warn', clock: systemClock, write })
  return { clock: systemClock, logger, localAgent: localAgentCommand() }
}
