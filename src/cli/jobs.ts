// `provision submit`: hands work to the built-in master, and with --wait stays until it ends.
import { randomUUID } from 'node:crypto'
import type { WorkView } from '../http/client-views.ts'
import { submitWork, type WorkOrder } from '../http/work-client.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import type { CommandContext } from './command.ts'
import { type ConnectOptions, connect } from './connect.ts'
import type { ExitStatus } from './exit.ts'
import { followOnTerminal, waitingClock } from './follow-work.ts'
import { stateSentence } from './work-text.ts'

interface Options extends ConnectOptions {
  slots?: string
  aux?: boolean
  duration?: string
  /** A list when it stood before `submit`. */
  pool?: string | string[]
  name?: string
  priority?: string
  env?: string[]
  workdir?: string
  id?: string
  wait?: boolean
  format: 'text' | 'json'
}

export async function run(options: Options, context: CommandContext, command: string[]): Promise<ExitStatus> {
  const { terminal } = context
  const order = orderOf(options, command)
  const client = connect(options, context)
  const work = await submitWork(client, order, waitingClock)
  const printJson = (view: WorkView) => terminal.out(`${JSON.stringify({ work: view }, undefined, 2)}\n`)
  if (!options.wait) {
    if (options.format === 'json') printJson(work)
    else terminal.out(`${work.task}\n`)
    terminal.say(stateSentence(work))
    return 0
  }
  if (terminal.interactive) terminal.say('Ctrl-C stops watching; the work goes on.')
  const ended = await followOnTerminal(client, work.task, options.format, terminal)
  if (options.format === 'json') printJson(ended)
  return ended.state === 'finished' ? 0 : 1
}

function orderOf(options: Options, command: string[]): WorkOrder {
  const { duration, pool, name, workdir } = options
  if ((duration === undefined) === (command.length === 0))
    throw usage('give either --duration or a command after --', 'Such as `provision submit -- nvidia-smi`.')
  if (duration !== undefined && (options.env || workdir))
    throw usage('--env and --workdir are for commands, and --duration runs none')
  return {
    id: options.id ?? randomUUID(),
    slots: options.aux ? 0 : wholeNumber('--slots', options.slots),
    priority: wholeNumber('--priority', options.priority),
    name,
    resourcePool: [pool].flat().at(-1),
    ...(duration === undefined
      ? { command, env: variables(options.env), workingDirectory: workdir }
      : { duration }),
  }
}

function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined || /^\d{1,9}$/.test(text)) return text === undefined ? undefined : Number(text)
  throw usage(`${flag} must be a whole number without a sign, not ${JSON.stringify(text)}`)
}

function variables(given: string[] = []): Record<string, string> {
  const pairs = given.map((text): [string, string] => {
    const at = text.indexOf('=')
    // Without the text: it may be a secret someone forgot the name of.
    if (at < 1) throw usage('--env needs KEY=VALUE')
    return [text.slice(0, at), text.slice(at + 1)]
  })
  return Object.fromEntries(pairs)
}

function usage(message: string, remedy?: string): ProvisionError {
  return new ProvisionError(problem('USAGE', message, { remedy: remedy ?? 'See `provision submit --help`.' }))
}
