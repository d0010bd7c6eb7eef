// Commands for the configuration and what is made from it: validate, schema, unpack, version.
import { type CliCommand, configFlag, type Flag, formatFlag, version } from './command.ts'
import type { Address } from './connect.ts'
import { type Context, exitStatusOf, printJson, readInput, sayCount, sayProblems } from './terminal.ts'

export function declareValidate(program: CliCommand): void {
  const command = program.command(
    'validate',
    'report every problem that can be found without a network, and what was not checked',
  )
  const configFile = configFlag(command)
  const strict = command.toggle('--strict', 'warnings are errors')
  const format = formatFlag(command)
  command.action(async ({ terminal, env }) => {
    const { validateAll } = await import('../provisioner/index.ts')
    const { builtInProviders: providers } = await import('../providers/index.ts')
    const file = configFile.value
    const options = { env, now: Date.now(), providers, strict: strict.value }
    const { valid, config, problems, checked, notChecked } = await validateAll(file, options)
    if (format.value === 'json') {
      const shown = problems.map(({ cause, ...rest }) => rest)
      printJson(terminal, { file, valid, checked, notChecked, problems: shown })
      return exitStatusOf(problems)
    }
    sayProblems(terminal, problems)
    if (problems.length > 0) terminal.say('')
    const pools = config?.resource_pools.map(
      (pool) => `${pool.pool_name} (${pool.provider?.type ?? 'no provider'})`,
    )
    const line = (name: string, text: string) => terminal.say(`${name.padEnd(12)} ${text}`)
    for (const [n, what] of checked.entries()) line(n === 0 ? 'checked' : '', what)
    for (const [n, { what, why }] of notChecked.entries())
      line(n === 0 ? 'not checked' : '', `${what} (${why})`)
    const count = sayCount(terminal, problems)
    if (valid && pools)
      terminal.say(
        `${file} is valid: ${pools.join(', ')}${notChecked.length > 0 ? ', as far as it was checked' : ''}`,
      )
    return count
  })
}

export function declareSchema(program: CliCommand): void {
  const command = program.command('schema', 'print the JSON Schema of the configuration, for editors')
  command.action(async ({ terminal }) => {
    const { configSchema } = await import('../config/index.ts')
    const { builtInProviders } = await import('../providers/index.ts')
    printJson(terminal, configSchema(builtInProviders))
    return 0
  })
}

export function declareUnpack(program: CliCommand): void {
  const command = program.command(
    'unpack',
    'print the startup script inside user data (packed bytes or base64)',
  )
  const file = command.argument('[file]', 'file with the user data (default: standard input)')
  command.action(async ({ terminal, cwd }) => {
    const { unpackUserData } = await import('../agent-setup/index.ts')
    terminal.out(await unpackUserData(await readInput(file.value ?? '-', cwd)))
    return 0
  })
}

/** @param config the program-wide flag; it locates the master's certificate and token */
export function declareVersion(program: CliCommand, config: Flag<string>): void {
  const command = program.command(
    'version',
    'print the versions of this program, of Node.js, of the agents, and with -m of a master',
  )
  // Not from DET_MASTER: printing the version of this program must not need a network.
  const master = command.text('-m, --master <url>', 'also print the version of this master')
  const format = formatFlag(command)
  command.action(async (context) => {
    const { terminal } = context
    const { defaultAgentImage } = await import('../config/index.ts')
    const own = { version, node: process.version, agentImage: defaultAgentImage }
    const about = master.value === undefined ? undefined : await aboutOf({ config, master }, context)
    if (format.value === 'json') {
      printJson(terminal, { ...own, ...(about && { master: about }) })
      return 0
    }
    const rows = [
      ['provision', own.version],
      ['node', own.node],
      ['agents', own.agentImage],
      ...(about ? [['master', `${about.version} (${about.product}) at ${about.url}`]] : []),
    ]
    terminal.out(rows.map(([name = '', text]) => `${name.padEnd(10)} ${text}\n`).join(''))
    return 0
  })
}

async function aboutOf(address: Address, context: Context) {
  const { connect } = await import('./connect.ts')
  const { productName } = await import('../http/index.ts')
  const client = await connect(address, context)
  const about = await client.about()
  return {
    url: client.url,
    version: about.version,
    product: about.product === productName ? productName : 'determined',
  }
}
