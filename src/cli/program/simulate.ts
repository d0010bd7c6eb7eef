// The command that tries a configuration on jobs before any money is spent.
import type { Command } from 'commander'
import { lazily } from './lazily.ts'
import { configOption, formatOption } from './options.ts'

export function declareSimulate(program: Command): void {
  program
    .command('simulate')
    .description("try a pool on a trace of jobs: waits, instance-hours, cost; beside the origin's policy")
    .option('--jobs <file>', 'the trace, CSV with the columns submit,slots,duration; - is standard input')
    .option('--pool <name>', 'the pool (default: the only one)')
    .option('--boot <time>', 'from the launch of a VM until its agent joins, such as 90s, or 60s-3m', '90s')
    .option('--placement <time>', 'the scheduler places work within this time', '500ms')
    .option('--faults <names>', 'what goes wrong in every hour, such as stock_out,never_joins; or all')
    .option('--seed <text>', 'the same seed gives the same outcome', '1')
    .option('--example', 'print an example of a trace, and do nothing else')
    .addOption(configOption())
    .addOption(formatOption('text', 'json'))
    .action(lazily(() => import('../simulate.ts')))
}
