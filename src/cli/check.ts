// `provision check`: checks everything a launch needs, and prints a table with remedies.
import { printable } from '../platform/index.ts'
import { placeOf } from '../problems/index.ts'
import type { CheckResult, CheckRow } from '../provisioner/index.ts'
import { type CliCommand, configFlag, formatFlag } from './command.ts'
import { withProgress } from './progress.ts'
import { type Context, type ExitStatus, printJson } from './terminal.ts'
import { type Measure, measureFor, padded } from './text-width.ts'

export function declareCheck(program: CliCommand): void {
  const command = program.command('check', 'check everything a launch needs; changes and launches nothing')
  const configFile = configFlag(command)
  const pool = command.list('--pool <name>', 'only this pool (repeatable)')
  const masterHost = command.text(
    '--master-host <host>',
    'dial this host instead of an alias such as local-ipv4',
  )
  const printIamPolicy = command.toggle(
    '--print-iam-policy',
    'print the least-privilege policy (AWS) or role (Google Cloud) for the pools',
  )
  const format = formatFlag(command)

  command.action(async (context) => {
    const file = configFile.value
    const { terminal, env } = context
    if (printIamPolicy.value) return printPolicy(file, pool.value, context)
    const { checkAll, checkSurroundings } = await import('../provisioner/index.ts')
    const { builtInProviders: providers } = await import('../providers/index.ts')
    const { exitOfRows } = await import('../provisioner/index.ts')
    if (terminal.interactive) terminal.say(`checking ${file}, its master and its clouds …\n`)
    const rows = await withProgress(terminal, `still checking ${file}`, (print) =>
      checkAll({
        file,
        pools: pool.value,
        masterHost: masterHost.value,
        env,
        providers,
        ...checkSurroundings(print),
      }),
    )
    if (format.value === 'json') printJson(terminal, asJson(file, rows))
    else terminal.out(`${(await checkLines(rows)).join('\n')}\n\n${countLine(rows)}\n`)
    return exitOfRows(rows)
  })
}

async function printPolicy(file: string, pools: string[] | undefined, context: Context): Promise<ExitStatus> {
  const { terminal } = context
  const { validConfig } = await import('./connect.ts')
  const { leastRights } = await import('../provisioner/index.ts')
  const { builtInProviders: providers } = await import('../providers/index.ts')
  const { rights, uncovered } = await leastRights(await validConfig(file, context), providers, {
    names: pools,
    env: context.env,
  })
  printJson(terminal, rights)
  if (uncovered.length > 0)
    terminal.say(`not included: permissions for the pools on ${uncovered.join(', ')}; print them with --pool`)
  return 0
}

function asJson(file: string, rows: CheckRow[]) {
  const checks = rows.map(({ problem, ...row }) => {
    const { cause: _, ...shown } = problem ?? {}
    return { ...row, ...(problem && { problem: shown }) }
  })
  return { file, counts: countsOf(rows), checks }
}

const words: Record<CheckResult, string> = {
  passed: 'ok',
  warning: 'warning',
  failed: 'FAILED',
  not_checked: '-',
}

const results = ['passed', 'warning', 'failed', 'not_checked'] as const satisfies CheckResult[]

export async function checkLines(rows: CheckRow[]): Promise<string[]> {
  const measure = await measureFor(rows.map(({ what }) => what))
  const subjects = [...new Set(rows.map(({ subject }) => subject))]
  return subjects
    .flatMap((subject, n) => [
      ...(n > 0 ? [''] : []),
      subject,
      ...blockOf(
        rows.filter((row) => row.subject === subject),
        measure,
      ),
    ])
    .map(printable)
}

/** A longer name, such as a cloud permission, shifts only its own line. */
const widest = 30

function blockOf(rows: CheckRow[], measure: Measure): string[] {
  const width = Math.min(widest, Math.max(...rows.map(({ what }) => measure(what))))
  return rows.flatMap(({ what, result, note = '', problem }, n) => {
    const head = `  ${words[result].padEnd(9)}${padded(what, width, measure)}  `
    if (!problem) return [`${head}${result === 'not_checked' ? 'not checked: ' : ''}${note}`.trimEnd()]
    const { where } = problem
    const setting = where?.setting ?? (problem.code.startsWith('TLS_') && where?.path ? where : undefined)
    const line = `${head}${problem.code} ${problem.message}${setting ? ` (${placeOf(setting)})` : ''}`
    // If the cloud refuses every call, the shared remedy is printed once.
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
