// Problems as plain text for people: place, code and sentence; the lines of the file; what to do.
import { type Problem, placeOf } from '../model/problem.ts'

/** One problem, without a final newline. Warnings say so; colours are the caller's. */
export function reportProblem({ code, severity, message, remedy, where }: Problem): string {
  const place = where ? `${placeOf(where)} ` : ''
  const lines = [`${place}${severity === 'warning' ? 'warning ' : ''}${code} ${message}`]
  if (where?.frame) lines.push(where.frame)
  return [...lines, `  remedy: ${remedy}`].join('\n')
}

/** All of them, a blank line between two; empty text when there are none. */
export function reportProblems(problems: Problem[]): string {
  return problems.map((one) => `${reportProblem(one)}\n`).join('\n')
}
