// The command line: words in, the right command loaded, problems out.
import { Command, CommanderError, Option } from 'commander'
import { nearest } from '../platform/nearest.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import { declareConfiguration } from './config.ts'
import { exitStatusOf } from './exit.ts'
import { declareFleet } from './fleet.ts'
import { declareCheck } from './program/check.ts'
import { lazily, terminal } from './program/lazily.ts'
import { configOption, formatOption, several } from './program/options.ts'
import { declareSimulate } from './program/simulate.ts'
import { declareWork } from './program/work.ts'
import { sayProblems } from './terminal.ts'
import { declareTrust } from './trust.ts'
import { version } from './version.ts'

function noSuchCommand(word: string): ProvisionError {
  const meant = nearest(
    word,
    program.commands.map((command) => command.name()),
  )
  const remedy = meant ? `Did you mean \`provision ${meant}\`?` : 'See `provision --help`.'
  return new ProvisionError(problem('USAGE', `there is no command ${word}`, { remedy }))
}

const program = new Command('provision')
  .description(
    'Launches agent VMs that join a TLS master by themselves, and removes them when the work is gone.',
  )
  .version(version, '-V, --version')
  .enablePositionalOptions()
  .exitOverride()
  .addOption(configOption())
  .option('--dry-run', 'print the user data each pool would get; needs no credentials, network or key')
  .option('--pool <name>', 'with --dry-run: only this pool (may be given again)', several)
  .option('--master-host <host>', 'with --dry-run: dial this host instead of an alias such as local-ipv4')
  .addOption(formatOption('text', 'json', 'raw'))
  .option('--out <dir>', 'with --dry-run: write files into this folder')
  .option('--terminate-on-exit', 'end the VMs in clouds, too, when it is stopped; asks before it starts')
  .option('-y, --yes', 'with --terminate-on-exit: do not ask')
  .addOption(new Option('--log-level <level>').choices(['debug', 'info', 'warn', 'error']).default('info'))
  .addHelpText(
    'after',
    '\nExit status: 0 done, 1 failed, 2 usage, 3 configuration or certificate refused, 4 preflight failed, 5 cloud refused.',
  )
  .helpCommand('help [command]', 'explain a command')
  // Left to the action, so that a misspelt command gets a better answer than "too many arguments".
  .allowExcessArguments()
  .action(
    lazily(async () => {
      const [unknown] = program.args
      if (unknown !== undefined) throw noSuchCommand(unknown)
      return program.opts()['dryRun'] ? import('./dry-run.ts') : import('./run.ts')
    }),
  )

declareConfiguration(program)
declareWork(program)
declareFleet(program)
declareTrust(program)
declareCheck(program)
declareSimulate(program)

sayWhereHelpIs(program, 'provision')

program.parseAsync().catch((error: unknown) => {
  process.exitCode = report(error)
})

/** A wrong flag of a command is answered by that command's own help. */
function sayWhereHelpIs(command: Command, words: string): void {
  command.showHelpAfterError(`(see \`${words} --help\`)`)
  for (const sub of command.commands) sayWhereHelpIs(sub, `${words} ${sub.name()}`)
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof ProvisionError) {
    sayProblems(terminal, error.problems)
    return exitStatusOf(error.problems) || 1
  }
  const fault = problem('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error })
  sayProblems(terminal, [fault])
  if (error instanceof Error && process.env['DEBUG']) terminal.say(error.stack ?? '')
  return 1
}
