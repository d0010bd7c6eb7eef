// `provision`: runs until it is told to stop; a live table for people, log lines for machines.
import { loadConfig } from '../../config/load.ts'
import type { CommandContext } from '../command.ts'
import { type ExitStatus, exitStatusOf } from '../exit.ts'
import { liveArea } from '../live-area.ts'
import { liveView } from '../live-view.ts'
import { countOf, sayProblems } from '../terminal.ts'
import { version } from '../version.ts'

interface Options {
  config: string
  logLevel: 'debug' | 'info' | 'warn' | 'error'
}

export async function run(options: Options, { terminal, env }: CommandContext): Promise<ExitStatus> {
  const { config, problems } = loadConfig(options.config, { env })
  sayProblems(terminal, problems)
  if (!config) {
    terminal.say(countOf(problems) ?? '')
    return exitStatusOf(problems)
  }
  const { runDaemon } = await import('../../app/daemon.ts')
  const area = terminal.interactive ? liveArea(terminal.write, () => terminal.columns()) : undefined
  await runDaemon({
    config,
    version,
    env,
    logLevel: options.logLevel,
    logFormat: area ? 'text' : 'json',
    write: (line) => (area ? area.print(line.trimEnd()) : terminal.write(line)),
    onChange: (rows, now) =>
      area?.draw(['', ...liveView(rows, now), '', 'Ctrl-C ends the local agents and stops.']),
  })
  area?.draw([])
  area?.close()
  return 0
}
