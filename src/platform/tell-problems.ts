// Problems of a running process go to its log.

import { type Problem, placeOf } from '../problems/problem.ts'
import type { Logger } from './ports.ts'

export function tellProblems(logger: Logger, problems: Problem[]): void {
  for (const { code, severity, message, where, remedy } of problems)
    (severity === 'error' ? logger.error : logger.warn)(message, {
      code,
      where: where && placeOf(where),
      remedy,
    })
}
