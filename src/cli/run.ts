// `provision`: runs until it is told to stop; a live table for people, log lines for machines.
import type { MasterConfig, PoolConfig } from '../config/index.ts'
import type { ProvisionError } from '../problems/index.ts'
import type { AnyProvider } from '../providers/index.ts'
import { type CliCommand, type Flag, version } from './command.ts'
import { declareDryRun } from './dry-run.ts'
import { liveView } from './fleet-text.ts'
import { liveArea } from './table.ts'
import {
  type Context,
  confirm,
  type ExitStatus,
  sayCount,
  sayProblems,
  type Terminal,
  usage,
} from './terminal.ts'

/** Of the program itself, without a command. Returns what it does, which with --dry-run is the dry run. */
export function declareRun(
  program: CliCommand,
  configFile: Flag<string>,
): (context: Context) => Promise<ExitStatus> {
  const dryRun = declareDryRun(program, configFile)
  const terminateOnExit = program.toggle(
    '--terminate-on-exit',
    'end the VMs in clouds, too, when it is stopped; asks before it starts',
  )
  const yes = program.toggle('-y, --yes', 'with --terminate-on-exit: do not ask')
  const logLevel = program.choice('--log-level <level>', '', ['debug', 'info', 'warn', 'error'], 'info')

  return async (context) => {
    if (dryRun.isAskedFor.value) return dryRun.run(context)
    const { terminal, env } = context
    // Left unsaid, someone would think that they meant something.
    const stray = dryRun.itsOwn.find(([, flag]) => flag.isGiven)
    if (stray) throw onlyDryRun(stray[0])
    const format = dryRun.format.value
    if (format === 'raw') throw onlyDryRun('--format raw')
    const { loadConfig } = await import('../config/index.ts')
    const { builtInProviders: providers } = await import('../providers/index.ts')
    const { config, problems } = loadConfig(configFile.value, { env, providers })
    sayProblems(terminal, problems)
    if (!config) return sayCount(terminal, problems)
    if (terminateOnExit.value && !(await mayTerminate(cloudPools(config, providers), yes.value, terminal)))
      return 1
    const { runDaemon } = await import('../provisioner/index.ts')
    const stopping = terminateOnExit.value
      ? 'Ctrl-C ends every VM, also in clouds, and stops.'
      : 'Ctrl-C ends the local agents and stops.'
    const watched = terminal.interactive && format === 'text'
    const area = watched ? liveArea(terminal.write, () => terminal.columns()) : undefined
    await runDaemon({
      config,
      providers,
      version,
      env,
      logLevel: logLevel.value,
      terminateOnExit: terminateOnExit.value,
      logFormat: area ? 'text' : 'json',
      write: (line) => (area ? area.print(line.trimEnd()) : terminal.write(line)),
      onChange: (rows, now) => area?.draw(['', ...liveView(rows, now), '', stopping]),
    })
    area?.draw([])
    area?.close()
    return 0
  }
}

function onlyDryRun(flag: string): ProvisionError {
  return usage(`${flag} belongs to --dry-run or to a command`, `Add --dry-run, or leave ${flag} out.`)
}

/** Local VMs end with the provisioner anyway. */
function cloudPools({ resource_pools }: MasterConfig, providers: readonly AnyProvider[]): string[] {
  const isElsewhere = ({ provider }: PoolConfig) =>
    provider && !providers.find(({ kind }) => kind === provider.type)?.onThisMachine
  return resource_pools.filter(isElsewhere).map(({ pool_name }) => pool_name)
}

async function mayTerminate(pools: string[], yes: boolean, terminal: Terminal): Promise<boolean> {
  if (pools.length === 0) return true
  const question = `End every VM of ${pools.join(', ')} when this provisioner is stopped, and lose the work on them?`
  return confirm(question, yes, terminal)
}
