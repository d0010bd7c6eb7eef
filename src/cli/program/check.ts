// Commands to run before anything is launched, or when something does not work.
import { type Command, Option } from 'commander'
import { lazily } from './lazily.ts'
import { configOption, formatOption, several } from './options.ts'

export function declareCheck(program: Command): void {
  program
    .command('check')
    .description('look at everything that can be known before a launch; nothing is changed or launched')
    .addOption(configOption())
    .option('--pool <name>', 'only this pool (may be given again)', several)
    .option('--master-host <host>', 'dial this host in place of an alias such as local-ipv4')
    .option('--print-iam-policy', 'print the least policy (AWS) or role (Google Cloud) for the pools')
    .addOption(formatOption('text', 'json'))
    .action(lazily(() => import('../commands/check.ts')))

  program
    .command('version')
    .description('print the versions of this program, of Node.js, of the agents, and with -m of a master')
    // Not from DET_MASTER: the own version can be told without a network.
    .addOption(new Option('-m, --master <url>', 'ask this master for its version, too'))
    .addOption(formatOption('text', 'json'))
    .action(lazily(() => import('../commands/version.ts')))
}
