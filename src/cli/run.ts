// `provision`: runs until it is told to stop; a live table for people, log lines for machines.
import { loadConfig } from '../config/load.ts'
import type { MasterConfig } from '../config/master-config.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import type { CommandContext } from './command.ts'
import { confirm } from './confirm.ts'
import { type ExitStatus, exitStatusOf } from './exit.ts'
import { liveArea } from './live-area.ts'
import { liveView } from './live-view.ts'
import { countOf, sayProblems, type Terminal } from './terminal.ts'
import { version } from './version.ts'

interface Options {
  config: string
  terminateOnExit?: boolean
  yes?: boolean
  format: 'text' | 'json' | 'raw'
  logLevel: 'debug' | 'info' | 'warn' | 'error'
}

/** Flags of the program that mean nothing to what runs: left unsaid, someone would think that they did. */
const ofDryRun = { pool: '--pool', out: '--out', masterHost: '--master-host' }

export async function run(options: Options, { terminal, env, isFlag }: CommandContext): Promise<ExitStatus> {
  const stray = Object.entries(ofDryRun).find(([option]) => isFlag(option))
  if (stray) throw onlyDryRun(stray[1])
  if (options.format === 'raw') throw onlyDryRun('--format raw')
  const { config, problems } = loadConfig(options.config, { env })
  sayProblems(terminal, problems)
  if (!config) {
    terminal.say(countOf(problems) ?? '')
    return exitStatusOf(problems)
  }
  if (options.terminateOnExit && !(await mayTerminate(config, options.yes, terminal))) return 1
  const { runDaemon } = await import('../provisioner/daemon.ts')
  const stopping = options.terminateOnExit
    ? 'Ctrl-C ends every VM, also in clouds, and stops.'
    : 'Ctrl-C ends the local agents and stops.'
  const watched = terminal.interactive && options.format === 'text'
  const area = watched ? liveArea(terminal.write, () => terminal.columns()) : undefined
  await runDaemon({
    config,
    version,
    env,
    logLevel: options.logLevel,
    terminateOnExit: options.terminateOnExit,
    logFormat: area ? 'text' : 'json',
    write: (line) => (area ? area.print(line.trimEnd()) : terminal.write(line)),
    onChange: (rows, now) => area?.draw(['', ...liveView(rows, now), '', stopping]),
  })
  area?.draw([])
  area?.close()
  return 0
}

function onlyDryRun(flag: string): ProvisionError {
  const remedy = `Add --dry-run, or leave ${flag} out.`
  return new ProvisionError(problem('USAGE', `${flag} belongs to --dry-run or to a command`, { remedy }))
}

/** Local VMs end with the provisioner anyway. */
async function mayTerminate(
  { resource_pools }: MasterConfig,
  yes: boolean | undefined,
  terminal: Terminal,
): Promise<boolean> {
  const pools = resource_pools
    .filter(({ provider }) => provider && provider.type !== 'local')
    .map(({ pool_name }) => pool_name)
  if (pools.length === 0) return true
  const question = `End every VM of ${pools.join(', ')} when this provisioner is stopped, and lose the work on them?`
  return confirm(question, yes, terminal)
}
