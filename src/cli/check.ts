// What `provision check` found, for people: a block of lines for each subject, and a count at the end.
import type { CheckResult, CheckRow } from '../provisioner/check-rows.ts'

const words: Record<CheckResult, string> = {
  passed: 'ok',
  warning: 'warning',
  failed: 'FAILED',
  not_checked: '-',
}

const results = ['passed', 'warning', 'failed', 'not_checked'] as const satisfies CheckResult[]

export function checkLines(rows: CheckRow[]): string[] {
  const subjects = [...new Set(rows.map(({ subject }) => subject))]
  return subjects.flatMap((subject, n) => [
    ...(n > 0 ? [''] : []),
    subject,
    ...blockOf(rows.filter((row) => row.subject === subject)),
  ])
}

/** What is longer, as the permissions of a cloud are, pushes only what stands beside it. */
const widest = 30

function blockOf(rows: CheckRow[]): string[] {
  const width = Math.min(widest, Math.max(...rows.map(({ what }) => what.length)))
  return rows.flatMap(({ what, result, note = '', problem }, n) => {
    const head = `  ${words[result].padEnd(9)}${what.padEnd(width)}  `
    if (!problem) return [`${head}${result === 'not_checked' ? 'not checked: ' : ''}${note}`.trimEnd()]
    const line = `${head}${problem.code} ${problem.message}`
    // A cloud that refuses everything has one remedy for it all.
    if (rows[n + 1]?.problem?.remedy === problem.remedy) return [line]
    return [line, `${' '.repeat(2 + 9 + width + 2)}remedy: ${problem.remedy}`]
  })
}

export function countsOf(rows: CheckRow[]): Record<CheckResult, number> {
  const count = (result: CheckResult) => rows.filter((row) => row.result === result).length
  return {
    passed: count('passed'),
    warning: count('warning'),
    failed: count('failed'),
    not_checked: count('not_checked'),
  }
}

/** `12 ok, 1 warning, 2 not checked`. */
export function countLine(rows: CheckRow[]): string {
  const counts = countsOf(rows)
  const names = {
    passed: 'ok',
    warning: `warning${counts.warning === 1 ? '' : 's'}`,
    failed: 'failed',
    not_checked: 'not checked',
  }
  return results
    .flatMap((result) => (counts[result] > 0 ? [`${counts[result]} ${names[result]}`] : []))
    .join(', ')
}
