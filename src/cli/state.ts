// Commands for the state while no provisioner runs: copy it between a folder and PostgreSQL, take its tables back a version.
import type { CliCommand } from './command.ts'
import { configFlag, formatFlag } from './command.ts'
import { table } from './table.ts'
import { type Context, printJson } from './terminal.ts'

export function declareState(program: CliCommand): void {
  const state = program.command(
    'state',
    'copy the state of a stopped provisioner between a folder and PostgreSQL',
  )
  copy(state)
  migrate(state)
}

const kinds = ['folder', 'postgres'] as const

function copy(state: CliCommand): void {
  const command = state.command(
    'copy',
    'copy everything, read it back and compare it; the source stays as it is',
  )
  const config = configFlag(command)
  const from = command.choice('--from <store>', 'where the state is', kinds, 'folder')
  const to = command.choice('--to <store>', 'where it goes: an empty store', kinds, 'postgres')
  const format = formatFlag(command)
  command.action(async (context) => {
    const { copyBetween } = await import('../state/index.ts')
    const { systemClock } = await import('../platform/index.ts')
    const loaded = await configOf(config.value, context)
    const surroundings = { env: context.env, clock: systemClock, logger: await loggerFor(context) }
    const copied = await copyBetween(loaded, { from: from.value, to: to.value }, surroundings)
    if (format.value === 'json') printJson(context.terminal, copied)
    else {
      const rows = copied.parts.map(({ what, records, sha256 }) => [
        what,
        String(records),
        sha256.slice(0, 16),
      ])
      context.terminal.out(`${(await table(['PART', 'RECORDS', 'SHA-256'], rows)).join('\n')}\n`)
    }
    context.terminal.say(
      `copied ${copied.from} to ${copied.to}; set state.type to ${to.value} before the next start`,
    )
    return 0
  })
}

function migrate(state: CliCommand): void {
  const command = state.command(
    'migrate',
    'change the tables in PostgreSQL; a start brings them forward by itself',
  )
  const config = configFlag(command)
  const back = command.toggle('--back', 'one version back, for the provisioner before this one')
  command.action(async (context) => {
    if (!back.value) {
      const { usage } = await import('./terminal.ts')
      throw usage(
        '--back is missing: a start brings the tables forward by itself',
        'See `provision state migrate --help`.',
      )
    }
    const { tablesBack } = await import('../state/index.ts')
    context.terminal.say(await tablesBack(await configOf(config.value, context), context.env))
    return 0
  })
}

async function configOf(file: string, context: Context) {
  const { validConfig } = await import('./connect.ts')
  return validConfig(file, context)
}

async function loggerFor({ terminal }: Context) {
  const { createLogger, systemClock } = await import('../platform/index.ts')
  return createLogger({
    format: 'text',
    level: 'warn',
    clock: systemClock,
    write: (line) => terminal.say(line.trimEnd()),
  })
}
