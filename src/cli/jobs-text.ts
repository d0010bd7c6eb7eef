// Jobs on a terminal: the table, the details of one, its output, and a line for each change of state.
import { type Client, followWork, isOver, type LogLine, type WorkView } from '../http/index.ts'
import { printable } from '../platform/index.ts'
import type { Format } from './command.ts'
import { table, waitingClock } from './table.ts'
import type { Terminal } from './terminal.ts'

/** The job's output goes to the same stream it was written to; with `json` standard out holds only the result. */
export function followOnTerminal(
  client: Client,
  id: string,
  format: Format,
  terminal: Terminal,
): Promise<WorkView> {
  return followWork(
    client,
    id,
    {
      onLine: (line, work) => printLine(line, work, terminal, format),
      onState: (work) => terminal.say(stateSentence(work)),
      onSilence: (error) => terminal.say(`${error.message}; trying again`),
    },
    waitingClock,
  )
}

/** Lines of a job with several containers are prefixed with the agent. */
export function printLine(line: LogLine, work: WorkView, terminal: Terminal, format: Format): void {
  const { agent } = work.containers.find(({ id }) => id === line.containerId) ?? {}
  const whose = work.containers.length > 1 && agent ? `[${agent}] ` : ''
  const text = `${whose}${line.text}${line.text.endsWith('\n') ? '' : '\n'}`
  if (line.stream === 'stdout' && format === 'text') terminal.out(text)
  else terminal.write(text)
}

const head = ['ID', 'STATE', 'POOL', 'SLOTS', 'PRIORITY', 'AGENTS', 'SUBMITTED', 'NAME']

export async function workTable(work: WorkView[]): Promise<string[]> {
  return table(
    head,
    work.map((one) => [
      one.task,
      one.state,
      one.resourcePool,
      String(one.slots),
      String(one.priority),
      agentsOf(one) || '-',
      one.submittedAt ?? '-',
      one.name,
    ]),
  )
}

export function workLines(work: WorkView): string[] {
  const rows: [string, string | null | undefined][] = [
    ['id', work.task],
    ['name', work.name],
    ['state', work.reason ? `${work.state}: ${work.reason}` : work.state],
    ['pool', work.resourcePool],
    ['slots', String(work.slots)],
    ['priority', String(work.priority)],
    ['duration', work.duration],
    ['command', work.command?.map(quoted).join(' ')],
    ['submitted', work.submittedAt],
    ['started', work.startedAt],
    ['ended', work.endedAt],
    ['agents', agentsOf(work)],
  ]
  return rows.flatMap(([name, value]) => (value ? [`${name.padEnd(10)} ${printable(value)}`] : []))
}

/** `job 1f2e runs on local-1`, `job 1f2e has failed: …`. */
export function stateSentence(work: WorkView): string {
  return printable(sentence(work))
}

function sentence(work: WorkView): string {
  const why = work.reason ? `: ${work.reason}` : ''
  if (isOver(work) || work.state === 'ending') return `job ${work.task} ${endWords[work.state] ?? ''}${why}`
  const needs = work.slots === 0 ? 'an agent' : work.slots === 1 ? '1 slot' : `${work.slots} slots`
  if (work.state === 'pending') return `job ${work.task} waits for ${needs} in pool ${work.resourcePool}`
  return `job ${work.task} runs on ${agentsOf(work)}`
}

const endWords: Partial<Record<WorkView['state'], string>> = {
  ending: 'is ending',
  finished: 'has finished',
  failed: 'has failed',
  killed: 'was killed',
  lost: 'is lost',
}

function agentsOf({ containers }: WorkView): string {
  return containers.map(({ agent }) => agent).join(', ')
}

/** Quoted for a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
