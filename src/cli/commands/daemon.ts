// `provision`: runs until it is told to stop; a live table for people, log lines for machines.
import { loadConfig } from '../../config/load.ts'
import type { MasterConfig } from '../../model/master-config.ts'
import type { CommandContext } from '../command.ts'
import { confirm } from '../confirm.ts'
import { type ExitStatus, exitStatusOf } from '../exit.ts'
import { liveArea } from '../live-area.ts'
import { liveView } from '../live-view.ts'
import { countOf, sayProblems, type Terminal } from '../terminal.ts'
import { version } from '../version.ts'

interface Options {
  config: string
  terminateOnExit?: boolean
  yes?: boolean
  logLevel: 'debug' | 'info' | 'warn' | 'error'
}

export async function run(options: Options, { terminal, env }: CommandContext): Promise<ExitStatus> {
  const { config, problems } = loadConfig(options.config, { env })
  sayProblems(terminal, problems)
  if (!config) {
    terminal.say(countOf(problems) ?? '')
    return exitStatusOf(problems)
  }
  if (options.terminateOnExit && !(await mayTerminate(config, options.yes, terminal))) return 1
  const { runDaemon } = await import('../../app/daemon.ts')
  const stopping = options.terminateOnExit
    ? 'Ctrl-C ends every VM, also in clouds, and stops.'
    : 'Ctrl-C ends the local agents and stops.'
  const area = terminal.interactive ? liveArea(terminal.write, () => terminal.columns()) : undefined
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
