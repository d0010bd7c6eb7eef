// How a command declares its flags and arguments: once, and their types follow. The flags that several commands share.
import { type Command, Option } from 'commander'
import about from '../../package.json' with { type: 'json' }
import type { Client } from '../http/index.ts'
import { type Context, usage } from './terminal.ts'

export const version: string = about.version

/**
 * Read it when the command runs. A flag that is declared and never read is an unused constant, which does not compile.
 */
export interface Flag<T> {
  /**
   * The given value, or the default. In `provision -c FILE validate` the value before the command's name overrides the
   * command's default.
   */
  readonly value: T
  /** True if it was given on the command line; false for a variable or the default. */
  readonly isGiven: boolean
}

export interface Argument<T> {
  readonly value: T
}

type TakesValue = `-${string} <${string}>`
type Switch<Flags extends string> = Flags extends `${string}<${string}` ? never : Flags

/** A commander command with typed flags and arguments. */
export class CliCommand {
  readonly commander: Command
  readonly context: Context

  constructor(commander: Command, context: Context) {
    this.commander = commander
    this.context = context
  }

  /** @param alias an older name that still works */
  command(
    name: string,
    description: string,
    { alias, ...options }: { isDefault?: boolean; alias?: string } = {},
  ): CliCommand {
    const command = this.commander.command(name, options).description(description)
    return new CliCommand(alias === undefined ? command : command.alias(alias), this.context)
  }

  /** @param conflicts names of flags that cannot be combined with it */
  toggle<Flags extends string>(
    flags: Switch<Flags>,
    description: string,
    conflicts: string[] = [],
  ): Flag<boolean> {
    return this.flag(new Option(flags, description).conflicts(conflicts), (given) => given === true)
  }

  /** If it is given several times, the last value is used. */
  text(flags: TakesValue, description: string): Flag<string | undefined> {
    return this.flag(new Option(flags, description), lastOf)
  }

  textOr(flags: TakesValue, description: string, otherwise: string): Flag<string> {
    return this.flag(new Option(flags, description).default(otherwise), (given) => lastOf(given) ?? otherwise)
  }

  /** Repeatable. Undefined if it is not given. */
  list(flags: TakesValue, description: string): Flag<string[] | undefined> {
    const collect = (value: string, list: string[] = []) => [...list, value]
    return this.flag(new Option(flags, description).argParser(collect), (given) =>
      given === undefined ? undefined : textsOf(given),
    )
  }

  choice<const Choice extends string>(
    flags: TakesValue,
    description: string,
    choices: readonly Choice[],
    otherwise: NoInfer<Choice>,
  ): Flag<Choice> {
    return this.flag(
      new Option(flags, description).choices(choices).default(otherwise),
      (given) => choices.find((choice) => choice === given) ?? otherwise,
    )
  }

  /** @param read converts the value of this flag, or of the program-wide flag of the same name */
  flag<T>(option: Option, read: (given: unknown) => T): Flag<T> {
    const { commander } = this
    commander.addOption(option)
    const name = option.attributeName()
    const isGivenTo = (command: Command | null) => command?.getOptionValueSource(name) === 'cli'
    return {
      get value() {
        const own: unknown = commander.getOptionValue(name)
        const isOwn = own !== undefined && (isGivenTo(commander) || !isGivenTo(commander.parent))
        return read(isOwn ? own : commander.optsWithGlobals()[name])
      },
      get isGiven() {
        return isGivenTo(commander) || isGivenTo(commander.parent)
      },
    }
  }

  argument(name: `[${string}]`, description: string): Argument<string | undefined> {
    const { commander } = this
    const place = commander.registeredArguments.length
    commander.argument(name, description)
    return {
      get value() {
        return commander.args[place]
      },
    }
  }

  /** All remaining arguments. */
  rest(name: `[${string}...]` | `<${string}...>`, description: string): Argument<string[]> {
    const { commander } = this
    const place = commander.registeredArguments.length
    commander.argument(name, description)
    return {
      get value() {
        return commander.args.slice(place)
      },
    }
  }

  /** `run` returns the exit status: an `ExitStatus`, or that of a job's command. It throws a ProvisionError if the command cannot continue. */
  action(run: (context: Context) => Promise<number>): void {
    this.commander.action(async () => {
      process.exitCode = await run(this.context)
    })
  }
}

function textsOf(given: unknown): string[] {
  return [given].flat().filter((one) => typeof one === 'string')
}

function lastOf(given: unknown): string | undefined {
  return textsOf(given).at(-1)
}

const defaultConfig = 'master.yaml'

export function configFlag(command: CliCommand): Flag<string> {
  const option = new Option('-c, --config <file>', 'the configuration file')
  return command.flag(
    option.default(defaultConfig).env('DET_CONFIG_FILE'),
    (given) => lastOf(given) ?? defaultConfig,
  )
}

const formats = ['text', 'json', 'raw'] as const

/** A command without `raw` can still receive it: the flag may be given before the command's name. */
export type Format = (typeof formats)[number]

export function formatFlag(command: CliCommand, ...choices: Format[]): Flag<Format> {
  const option = new Option('--format <format>', 'output format')
  return command.flag(
    option.choices(choices.length > 0 ? choices : ['text', 'json']).default('text'),
    (given) => formats.find((format) => format === given) ?? 'text',
  )
}

/** Determined's own tools read the same variable, DET_MASTER. */
export function masterFlag(command: CliCommand): Flag<string | undefined> {
  const option = new Option('-m, --master <url>', 'the master to use instead of the configured one')
  return command.flag(option.env('DET_MASTER'), lastOf)
}

export function tokenFlag(command: CliCommand): Flag<string | undefined> {
  return command.text(
    '--token-file <file>',
    'file with the token (default: <state_dir>/token of the configuration)',
  )
}

/** The program-wide flag is repeatable; reading it here throws USAGE for more than one value. */
export function onePoolFlag(command: CliCommand, description: string): Flag<string | undefined> {
  return command.flag(new Option('--pool <name>', description), (given) => {
    const named = textsOf(given)
    if (named.length <= 1) return named[0]
    throw usage('--pool takes one pool here', 'Use it once, or omit it to see all pools.')
  })
}

/** The flags that select a running provisioner and the output format. */
export function addressed(command: CliCommand) {
  const config = configFlag(command)
  // Without DET_MASTER, unlike `submit`: beside a Determined master that variable names the master, not the provisioner.
  const master = command.text(
    '-m, --master <url>',
    'a remote provisioner, by the URL of its TLS listener (default: the local one, by its control socket)',
  )
  const tokenFile = tokenFlag(command)
  const format = formatFlag(command)
  return {
    config,
    format,
    master,
    connect: async (): Promise<Client> => {
      const { connectFleet } = await import('./connect.ts')
      return connectFleet({ config, master, tokenFile }, command.context)
    },
  }
}
