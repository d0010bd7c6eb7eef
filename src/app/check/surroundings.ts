// What a check needs of this process.
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../telemetry/log.ts'
import { localAgentCommand } from '../local-agent.ts'
import type { CheckOptions } from './check-all.ts'

/** Only what a provider cannot say in a row is logged. */
export function checkSurroundings(
  write: (line: string) => void,
): Pick<CheckOptions, 'clock' | 'logger' | 'localAgent'> {
  const logger = createLogger({ format: 'text', level: 'warn', clock: systemClock, write })
  return { clock: systemClock, logger, localAgent: localAgentCommand() }
}
