// How a command declares its flags and arguments: once, and their types follow. The flags that several commands share.
import { type Command, Option } from 'commander'
import about from '../../package.json' with { type: 'json' }
import type { Client } from '../http/index.ts'
import { type Context, type ExitStatus, usage } from './terminal.ts'

export const version: string = about.version

/** To be read when the command runs. The compiler reports a flag that is declared and never read as an unused constant. */
export interface Flag<T> {
  /**
   * What was given, or the default. `provision -c FILE validate` means that file: the default of the command gives way
   * to what was given before its name.
   */
  readonly value: T
  /** True when it was given on the command line, not by a variable or by default. */
  readonly isGiven: boolean
}

export interface Argument<T> {
  readonly value: T
}

type TakesValue = `-${string} <${string}>`
type Switch<Flags extends string> = Flags extends `${string}<${string}` ? never : Flags

/** A command of commander, with flags and arguments that have types. */
export class CliCommand {
  readonly commander: Command
  readonly context: Context

  constructor(commander: Command, context: Context) {
    this.commander = commander
    this.context = context
  }

  command(name: string, description: string, options: { isDefault?: boolean } = {}): CliCommand {
    return new CliCommand(this.commander.command(name, options).description(description), this.context)
  }

  /** @param conflicts the name of a flag that cannot be given beside it */
  toggle<Flags extends string>(
    flags: Switch<Flags>,
    description: string,
    conflicts: string[] = [],
  ): Flag<boolean> {
    return this.flag(new Option(flags, description).conflicts(conflicts), (given) => given === true)
  }

  /** Given several times, the last one counts. */
  text(flags: TakesValue, description: string): Flag<string | undefined> {
    return this.flag(new Option(flags, description), lastOf)
  }

  textOr(flags: TakesValue, description: string, otherwise: string): Flag<string> {
    return this.flag(new Option(flags, description).default(otherwise), (given) => lastOf(given) ?? otherwise)
  }

  /** May be given several times. Undefined when it is not. */
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

  /** @param read from what commander keeps for the flag, which may be what the whole program has by that name */
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

  /** All that are left. */
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

  /** `run` goes to the end; it throws a ProvisionError for problems that leave nothing to print. */
  action(run: (context: Context) => Promise<ExitStatus>): void {
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
  const option = new Option('-c, --config <file>', 'the configuration')
  return command.flag(
    option.default(defaultConfig).env('DET_CONFIG_FILE'),
    (given) => lastOf(given) ?? defaultConfig,
  )
}

const formats = ['text', 'json', 'raw'] as const

/** A command without `raw` meets it where it was given before the command's name. */
export type Format = (typeof formats)[number]

export function formatFlag(command: CliCommand, ...choices: Format[]): Flag<Format> {
  const option = new Option('--format <format>', 'how results are printed')
  return command.flag(
    option.choices(choices.length > 0 ? choices : ['text', 'json']).default('text'),
    (given) => formats.find((format) => format === given) ?? 'text',
  )
}

/** For what Determined's own tools understand as well, and therefore with their variable. */
export function masterFlag(command: CliCommand): Flag<string | undefined> {
  const option = new Option('-m, --master <url>', 'the master to talk to, in place of the one configured')
  return command.flag(option.env('DET_MASTER'), lastOf)
}

export function tokenFlag(command: CliCommand): Flag<string | undefined> {
  return command.text(
    '--token-file <file>',
    'where the token is (default: <state_dir>/token of the configuration)',
  )
}

/** The flag of the whole program may be given again: reading it throws USAGE for more than one. */
export function onePoolFlag(command: CliCommand, description: string): Flag<string | undefined> {
  return command.flag(new Option('--pool <name>', description), (given) => {
    const named = textsOf(given)
    if (named.length <= 1) return named[0]
    throw usage('--pool takes one pool here', 'Leave it out to see all.')
  })
}

/** The flags that say which running provisioner is meant and how it answers. */
export function addressed(command: CliCommand) {
  const config = configFlag(command)
  // Unlike that of `submit`, without DET_MASTER: beside a Determined master it names another program.
  const master = command.text(
    '-m, --master <url>',
    'a provisioner elsewhere, by its TLS listener (default: the one of this machine, by its control socket)',
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
