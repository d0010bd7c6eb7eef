// `provision validate`: every problem of a configuration at once.

import type { CommandContext } from '../command.ts'
import { type ExitStatus, exitStatusOf } from '../exit.ts'
import { loadConfig } from '../load-config.ts'
import { countOf, sayProblems } from '../terminal.ts'

interface Options {
  config: string
  format: 'text' | 'json'
}

export async function run(options: Options, { terminal, env }: CommandContext): Promise<ExitStatus> {
  const { config, problems } = loadConfig(options.config, { env })
  if (options.format === 'json')
    terminal.out(
      `${JSON.stringify({ file: options.config, valid: config !== undefined, problems: problems.map(({ cause, ...rest }) => rest) }, undefined, 2)}\n`,
    )
  else {
    sayProblems(terminal, problems)
    const pools = config?.resource_pools.map(
      (pool) => `${pool.pool_name} (${pool.provider?.type ?? 'no provider'})`,
    )
    if (pools) terminal.say(`${options.config} is valid: ${pools.join(', ')}`)
    const count = countOf(problems)
    if (count) terminal.say(count)
  }
  return exitStatusOf(problems)
}
