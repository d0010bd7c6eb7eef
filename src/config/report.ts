// Problems as plain text for people: place, code and sentence; the lines of the file; what to do.
import { type Problem, placeOf } from '../problems/problem.ts'

/** Colours a part of a report; plain text goes through as it is. */
export type Paint = (part: 'place' | 'error' | 'warning' | 'remedy', text: string) => string

const plain: Paint = (_, text) => text

/** One problem, without a final newline. Warnings say so. */
export function reportProblem({ code, severity, message, remedy, where }: Problem, paint = plain): string {
  const place = where ? `${paint('place', placeOf(where))} ` : ''
  const word = severity === 'warning' ? `${paint('warning', 'warning')} ` : ''
  const lines = [`${place}${word}${paint(severity, code)} ${message}`]
  if (where?.frame) lines.push(where.frame)
  return [...lines, `  ${paint('remedy', 'remedy:')} ${remedy}`].join('\n')
}

/** All of them, a blank line between two; empty text when there are none. */
export function reportProblems(problems: Problem[]): string {
  return problems.map((one) => `${reportProblem(one)}\n`).join('\n')
}
