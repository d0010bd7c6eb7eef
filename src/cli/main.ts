// The command line: the program, its commands, how problems are printed, the exit status.
import { Command, CommanderError } from 'commander'
import { completed, nearest } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import { declareAgentsCa } from './agents-ca.ts'
import { declareCerts } from './certs.ts'
import { declareCheck } from './check.ts'
import { CliCommand, configFlag, version } from './command.ts'
import { declareSchema, declareUnpack, declareValidate, declareVersion } from './config.ts'
import { declareExplain } from './explain.ts'
import { declareFleet } from './fleet.ts'
import { declareJobs } from './jobs.ts'
import { declareLogs } from './logs.ts'
import { declareRollout } from './rollout.ts'
import { declareRun } from './run.ts'
import { declareSimulate } from './simulate.ts'
import { declareState } from './state.ts'
import { exitStatusOf, processTerminal, sayProblems, usage } from './terminal.ts'
import { declareTrust } from './trust.ts'
import { declareUsers } from './users.ts'

const terminal = processTerminal()
const commander = new Command('provision')
  .description(
    'Launches agent instances that join a TLS master by themselves, and terminates them when no job needs them.',
  )
  .version(version, '-V, --version')
  .enablePositionalOptions()
  .exitOverride()
  .addHelpText(
    'after',
    '\nExit status: 0 done, 1 failed, 2 usage, 3 configuration or certificate invalid, 4 preflight failed, 5 cloud call rejected.',
  )
  .helpCommand('help [command]', 'show the help of a command')
  // Checked in the action, so that a misspelt command gets a better error than "too many arguments".
  .allowExcessArguments()

const program = new CliCommand(commander, { terminal, env: process.env, cwd: process.cwd() })
const config = configFlag(program)
const run = declareRun(program, config)
program.action((context) => {
  const [unknown] = commander.args
  if (unknown !== undefined) throw noSuchCommand(unknown)
  return run(context)
})

// In the order of the help.
declareValidate(program)
declareSchema(program)
declareCerts(program)
declareUnpack(program)
declareJobs(program)
declareFleet(program)
declareRollout(program)
declareExplain(program)
declareLogs(program)
declareTrust(program)
declareUsers(program)
declareAgentsCa(program)
declareState(program)
declareCheck(program)
declareVersion(program, config)
declareSimulate(program)

sayWhereHelpIs(commander, 'provision')

commander.parseAsync().catch((error: unknown) => {
  process.exitCode = report(error)
})

function noSuchCommand(word: string): ProvisionError {
  const names = commander.commands.map((command) => command.name())
  const meant = nearest(word, names) ?? completed(word, names)
  const remedy = meant ? `Did you mean \`provision ${meant}\`?` : 'See `provision --help`.'
  return usage(`unknown command ${word}`, remedy)
}

/** An error in the flags of a command points to the help of that command. */
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
