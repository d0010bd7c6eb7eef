// From a word of the command line to the module that does it.
import type { Command } from 'commander'
import type { CommandContext, CommandModule } from '../command.ts'
import { processTerminal } from '../terminal.ts'

export const terminal = processTerminal()

/** Only the command that was asked for is loaded: a dry run must not pay for the daemon. */
export function lazily(load: () => Promise<CommandModule>) {
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
