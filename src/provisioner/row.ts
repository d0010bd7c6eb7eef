// What `provision check` has to say, row by row: what was looked at, and what came of it.

import { codeInfo } from '../problems/codes.ts'
import { isError, type Problem } from '../problems/problem.ts'

/** `not_checked` is never as good as `passed`: the note tells why nobody looked. */
export type CheckResult = 'passed' | 'warning' | 'failed' | 'not_checked'

export interface CheckRow {
  /** `configuration`, `certificate`, `demand`, or `pool NAME`. */
  subject: string
  what: string
  result: CheckResult
  /** What was found where nothing is wrong, or why it was not looked at. */
  note?: string
  problem?: Problem
}

/** Rows of one subject. */
export interface RowMaker {
  passed(what: string, note?: string): CheckRow
  notChecked(what: string, note: string): CheckRow
  /** A warning or a failure, as the problem's severity says. */
  of(what: string, problem: Problem): CheckRow
}

export function rowsOf(subject: string): RowMaker {
  return {
    passed: (what, note) => ({ subject, what, result: 'passed', ...(note && { note }) }),
    notChecked: (what, note) => ({ subject, what, result: 'not_checked', note }),
    of: (what, problem) => ({ subject, what, result: isError(problem) ? 'failed' : 'warning', problem }),
  }
}

/** 3 when the configuration or a certificate is refused, 4 for any other failure, else 0. */
export function exitOfRows(rows: CheckRow[]): 0 | 3 | 4 {
  const failed = rows.flatMap(({ result, problem }) => (result === 'failed' && problem ? [problem] : []))
  if (failed.length === 0) return 0
  return failed.some(({ code }) => codeInfo(code).exit === 3) ? 3 : 4
}
