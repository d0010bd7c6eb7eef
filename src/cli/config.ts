// Commands about files: the configuration, certificates, user data.
import type { Command } from 'commander'
import { lazily } from './program/lazily.ts'
import { configOption, formatOption, several } from './program/options.ts'

export function declareConfiguration(program: Command): void {
  program
    .command('validate')
    .description('check the configuration and name every problem')
    .addOption(configOption())
    .addOption(formatOption('text', 'json'))
    .action(lazily(() => import('./commands/validate.ts')))

  program
    .command('schema')
    .description('print the JSON Schema of the configuration, for editors')
    .action(lazily(() => import('./commands/schema.ts')))

  program
    .command('certs')
    .description('make a development CA and a server certificate (root, intermediate, leaf)')
    .option('--name <name>', 'DNS name of the master (may be given again)', several)
    .option('--ip <address>', 'IP address of the master (may be given again)', several)
    .option('--days <days>', 'how long the server certificate is valid', '365')
    .option('--out <dir>', 'folder to write into', 'certs')
    .option('--if-missing', 'do nothing when the certificates are there already')
    .action(lazily(() => import('./certs.ts')))

  program
    .command('unpack')
    .description('print the startup script inside user data (packed bytes or base64)')
    .argument('[file]', 'where the user data is; standard input without it')
    .action(lazily(() => import('./commands/unpack.ts')))
}
