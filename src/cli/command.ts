// What every command file exports.
import type { ExitStatus } from './exit.ts'
import type { Terminal } from './terminal.ts'

export interface CommandContext {
  terminal: Terminal
  env: NodeJS.ProcessEnv
  cwd: string
  /** True when the option was given on the command line, not by a variable or by default. */
  isFlag: (option: string) => boolean
}

export interface CommandModule {
  /** Runs to the end; throws a ProvisionError for problems that leave nothing to print. */
  // biome-ignore lint/suspicious/noExplicitAny: each command declares its own options beside their flags in program/
  run(options: any, context: CommandContext, positional: string[]): Promise<ExitStatus>
}
