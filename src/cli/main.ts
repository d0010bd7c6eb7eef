// The command line: words in, the right command loaded, problems out.
import { Command, CommanderError, Option } from 'commander'
import { nearest } from '../model/nearest.ts'
import { ProvisionError, problem } from '../model/problem.ts'
import type { CommandContext, CommandModule } from './command.ts'
import { exitStatusOf } from './exit.ts'
import { processTerminal, sayProblems } from './terminal.ts'
import { version } from './version.ts'

const terminal = processTerminal()

/** Only the command that was asked for is loaded: a dry run must not pay for the daemon. */
function lazily(load: () => Promise<CommandModule>) {
  return async (...given: unknown[]) => {
    const [options, command] = given.slice(-2) as [object, Command]
    const { run } = await load()
    const isFlag = (option: string) =>
      [command, command.parent].some((said) => said?.getOptionValueSource(option) === 'cli')
    const context: CommandContext = { terminal, env: process.env, cwd: process.cwd(), isFlag }
    process.exitCode = await run(
      { ...command.optsWithGlobals(), ...flagsOf(command, options) },
      context,
      given.slice(0, -2).flat() as string[],
    )
  }
}

/** `provision -c FILE validate` means that file: what a command has by default gives way to what was said before it. */
function flagsOf(command: Command, options: object): object {
  const said = Object.entries(options).filter(
    ([name]) =>
      command.getOptionValueSource(name) === 'cli' || command.parent?.getOptionValueSource(name) !== 'cli',
  )
  return Object.fromEntries(said)
}

function configOption(): Option {
  return new Option('-c, --config <file>', 'the configuration').default('master.yaml').env('DET_CONFIG_FILE')
}

function formatOption(...choices: string[]): Option {
  return new Option('--format <format>', 'how results are printed').choices(choices).default(choices[0])
}

function masterOption(): Option {
  return new Option('-m, --master <url>', 'the master to talk to, in place of the one configured').env(
    'DET_MASTER',
  )
}

function tokenOption(): Option {
  return new Option(
    '--token-file <file>',
    'where the token is (default: <state_dir>/token of the configuration)',
  )
}

function noSuchCommand(word: string): ProvisionError {
  const meant = nearest(
    word,
    program.commands.map((command) => command.name()),
  )
  const remedy = meant ? `Did you mean \`provision ${meant}\`?` : 'See `provision --help`.'
  return new ProvisionError(problem('USAGE', `there is no command ${word}`, { remedy }))
}

function several(value: string, list: string[] = []): string[] {
  return [...list, value]
}

const program = new Command('provision')
  .description(
    'Launches agent VMs that join a TLS master by themselves, and removes them when the work is gone.',
  )
  .version(version, '-V, --version')
  .showHelpAfterError('(see `provision --help`)')
  .enablePositionalOptions()
  .exitOverride()
  .addOption(configOption())
  .option('--dry-run', 'print the user data each pool would get; needs no credentials, network or key')
  .option('--pool <name>', 'only this pool (may be given again)', several)
  .option('--master-host <host>', 'with --dry-run: dial this host instead of an alias such as local-ipv4')
  .addOption(formatOption('text', 'json', 'raw'))
  .option('--out <dir>', 'with --dry-run: write files into this folder')
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
      return program.opts()['dryRun'] ? import('./commands/dry-run.ts') : import('./commands/daemon.ts')
    }),
  )

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
  .action(lazily(() => import('./commands/certs.ts')))

program
  .command('unpack')
  .description('print the startup script inside user data (packed bytes or base64)')
  .argument('[file]', 'where the user data is; standard input without it')
  .action(lazily(() => import('./commands/unpack.ts')))

program
  .command('submit')
  .description('hand work in: a command to run, or slots to hold for a while')
  .argument('[command...]', 'what to run, after --')
  .option('--slots <n>', 'accelerators it needs (default: 1)')
  .addOption(new Option('--aux', 'auxiliary work: it needs no slot').conflicts('slots'))
  .option('--duration <time>', 'hold the slots for this long, such as 10m, instead of running a command')
  .option('--pool <name>', "the resource pool (default: the master's)")
  .option('--name <name>', 'shown in lists')
  .option('--priority <n>', '1 first, 99 last (default: 42)')
  .option('--env <KEY=VALUE>', 'a variable for the command (may be given again)', several)
  .option('--workdir <dir>', 'where the command runs, on the agent')
  .option('--id <id>', 'handed in again with the same id, it is still one piece of work')
  .option('--wait', 'follow it until it ends, print what it prints; exit status 0 only when it finished')
  .addOption(configOption())
  .addOption(masterOption())
  .addOption(tokenOption())
  .addOption(formatOption('text', 'json'))
  .action(lazily(() => import('./commands/submit.ts')))

program
  .command('work')
  .description('list the work of the master, or show or end one piece')
  .argument('[id]', 'of the work')
  .option('--logs', 'print the last lines it printed')
  .option('--kill', 'end it')
  .addOption(configOption())
  .addOption(masterOption())
  .addOption(tokenOption())
  .addOption(formatOption('text', 'json'))
  .action(lazily(() => import('./commands/work.ts')))

program
  .command('agent')
  .description("run the built-in agent; flags, DET_* variables and agent.yaml are the real agent's")
  .argument('[flags...]', 'such as --config-file, --master-host, --slot-type')
  .allowUnknownOption()
  .passThroughOptions()
  .action(lazily(() => import('./commands/agent.ts')))

program.parseAsync().catch((error: unknown) => {
  process.exitCode = report(error)
})

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
