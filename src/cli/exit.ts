// From problems to the process's exit status.

import { codeInfo } from '../problems/codes.ts'
import type { Problem } from '../problems/problem.ts'

/** 0 done, 1 failed, 2 usage, 3 configuration or certificate refused, 4 preflight failed, 5 cloud refused. */
export type ExitStatus = 0 | 1 | 2 | 3 | 4 | 5

/** Of the first error; 0 when there are only warnings. */
export function exitStatusOf(problems: Problem[]): ExitStatus {
  const first = problems.find((p) => p.severity === 'error')
  return first ? codeInfo(first.code).exit : 0
}
