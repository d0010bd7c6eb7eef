// `provision work`: what the master has to do, how one piece of it goes, what it printed; and its end.
import { killWork, listWork, logsOf, showWork } from '../../http/work-client.ts'
import { ProvisionError, problem } from '../../problems/problem.ts'
import type { CommandContext } from '../command.ts'
import { type ConnectOptions, connect } from '../connect.ts'
import type { ExitStatus } from '../exit.ts'
import { printLine } from '../follow-work.ts'
import { stateSentence, workLines, workTable } from '../work-text.ts'

interface Options extends ConnectOptions {
  logs?: boolean
  kill?: boolean
  format: 'text' | 'json'
}

export async function run(
  options: Options,
  context: CommandContext,
  [id]: (string | undefined)[],
): Promise<ExitStatus> {
  const { terminal } = context
  const { logs, kill, format } = options
  const json = (value: unknown) => terminal.out(`${JSON.stringify(value, undefined, 2)}\n`)
  const lines = (texts: string[]) => terminal.out(`${texts.join('\n')}\n`)
  if (id === undefined && (logs || kill)) throw usage(`--${logs ? 'logs' : 'kill'} needs the id of the work`)
  if (logs && kill) throw usage('--logs and --kill exclude each other')

  const client = connect(options, context)
  if (id === undefined) {
    const work = await listWork(client)
    if (format === 'json') json({ work })
    else if (work.length > 0) lines(workTable(work))
    else terminal.say('no work')
  } else if (logs) {
    const work = await showWork(client, id)
    const found = await logsOf(client, id)
    if (format === 'json') json(found)
    else for (const line of found.logs) printLine(line, work, terminal, 'text')
  } else {
    const work = kill ? await killWork(client, id) : await showWork(client, id)
    if (format === 'json') json({ work })
    else if (kill) terminal.say(stateSentence(work))
    else lines(workLines(work))
  }
  return 0
}

function usage(message: string): ProvisionError {
  return new ProvisionError(problem('USAGE', message, { remedy: 'See `provision work --help`.' }))
}
