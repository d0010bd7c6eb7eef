// Commands about masters that were trusted by hand.
import type { Command } from 'commander'
import { lazily } from './program/lazily.ts'
import { formatOption, masterOption } from './program/options.ts'

export function declareTrust(program: Command): void {
  const trust = program
    .command('trust')
    .description('masters trusted by hand: in the same file as det keeps, so that both trust the same')

  trust
    .command('list', { isDefault: true })
    .description('show them')
    .addOption(formatOption('text', 'json'))
    .action(lazily(() => import('./commands/trust-list.ts')))

  trust
    .command('add')
    .description('look at the certificate of a master, and trust it from now on')
    .argument('[url]', 'of the master, https:// (default: -m)')
    .option('--fingerprint <sha256>', 'trust it only if this is its SHA-256, and do not ask')
    .addOption(masterOption())
    .action(lazily(() => import('./commands/trust-add.ts')))

  trust
    .command('replace')
    .description('trust the new certificate of a master in place of the old one')
    .argument('[url]', 'of the master, https:// (default: -m)')
    .option('--fingerprint <sha256>', 'trust it only if this is its SHA-256, and do not ask')
    .addOption(masterOption())
    .action(lazily(() => import('./commands/trust-replace.ts')))

  trust
    .command('remove')
    .description('trust it no longer')
    .argument('[url]', 'of the master, https:// (default: -m)')
    .addOption(masterOption())
    .action(lazily(() => import('./commands/trust-remove.ts')))
}
