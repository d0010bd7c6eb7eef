// `provision check`: everything that can be known before a launch, in a table with remedies.

import { loadConfig } from '../../config/load.ts'
import { ProvisionError } from '../../problems/problem.ts'
import type { CheckRow } from '../../provisioner/check-rows.ts'
import { checkLines, countLine, countsOf } from '../check.ts'
import type { CommandContext } from '../command.ts'
import type { ExitStatus } from '../exit.ts'

interface Options {
  config: string
  /** Also when it stood before `check`. */
  pool?: string[]
  masterHost?: string
  printIamPolicy?: boolean
  format: 'text' | 'json'
}

export async function run(options: Options, context: CommandContext): Promise<ExitStatus> {
  if (options.printIamPolicy) return printPolicy(options, context)
  const { terminal, env } = context
  const { config: file, pool: pools, masterHost } = options
  const { checkAll } = await import('../../provisioner/check.ts')
  const { exitOfRows } = await import('../../provisioner/check-rows.ts')
  const { checkSurroundings } = await import('../../provisioner/check.ts')
  if (terminal.interactive) terminal.say(`looking at ${file}, its master and its clouds …\n`)
  const rows = await checkAll({ file, pools, masterHost, env, ...checkSurroundings(terminal.write) })
  if (options.format === 'json') terminal.out(`${JSON.stringify(asJson(file, rows), undefined, 2)}\n`)
  else terminal.out(`${checkLines(rows).join('\n')}\n\n${countLine(rows)}\n`)
  return exitOfRows(rows)
}

function asJson(file: string, rows: CheckRow[]) {
  const checks = rows.map(({ problem, ...row }) => {
    const { cause: _, ...told } = problem ?? {}
    return { ...row, ...(problem && { problem: told }) }
  })
  return { file, counts: countsOf(rows), checks }
}

async function printPolicy(options: Options, { terminal, env }: CommandContext): Promise<ExitStatus> {
  const { config, problems } = loadConfig(options.config, { env })
  if (!config) throw new ProvisionError(problems)
  const { leastRights } = await import('../../provisioner/least-rights.ts')
  const { rights, uncovered } = await leastRights(config, options.pool)
  terminal.out(`${JSON.stringify(rights, undefined, 2)}\n`)
  if (uncovered.length > 0)
    terminal.say(`not covered: what the pools on ${uncovered.join(', ')} need; name them with --pool`)
  return 0
}
