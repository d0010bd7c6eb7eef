// Jobs on a terminal: the table, the details of one, its output, and a line for each change of state.
import { type Client, followJob, isOver, type JobView, type LogLine } from '../http/index.ts'
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
): Promise<JobView> {
  return followJob(
    client,
    id,
    {
      onLine: (line, job) => printLine(line, job, terminal, format),
      onState: (job) => terminal.say(stateSentence(job)),
      onSilence: (error) => terminal.say(`${error.message}; trying again`),
    },
    waitingClock,
  )
}

/** Lines of a job with several containers are prefixed with the agent. */
export function printLine(line: LogLine, job: JobView, terminal: Terminal, format: Format): void {
  const { agent } = job.containers.find(({ id }) => id === line.containerId) ?? {}
  const whose = job.containers.length > 1 && agent ? `[${agent}] ` : ''
  const text = `${whose}${line.text}${line.text.endsWith('\n') ? '' : '\n'}`
  if (line.stream === 'stdout' && format === 'text') terminal.out(text)
  else terminal.write(text)
}

const head = ['ID', 'STATE', 'POOL', 'SLOTS', 'PRIORITY', 'AGENTS', 'SUBMITTED', 'NAME']

export async function jobTable(jobs: JobView[]): Promise<string[]> {
  return table(
    head,
    jobs.map((one) => [
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

export function jobLines(job: JobView): string[] {
  const rows: [string, string | null | undefined][] = [
    ['id', job.task],
    ['name', job.name],
    ['state', job.reason ? `${job.state}: ${job.reason}` : job.state],
    ['pool', job.resourcePool],
    ['slots', String(job.slots)],
    ['priority', String(job.priority)],
    ['duration', job.duration],
    ['command', job.command?.map(quoted).join(' ')],
    ['submitted', job.submittedAt],
    ['started', job.startedAt],
    ['ended', job.endedAt],
    ['agents', agentsOf(job)],
  ]
  return rows.flatMap(([name, value]) => (value ? [`${name.padEnd(10)} ${printable(value)}`] : []))
}

/** `job 1f2e runs on local-1`, `job 1f2e has failed: …`. */
export function stateSentence(job: JobView): string {
  return printable(sentence(job))
}

function sentence(job: JobView): string {
  const why = job.reason ? `: ${job.reason}` : ''
  if (isOver(job) || job.state === 'ending') return `job ${job.task} ${endWords[job.state] ?? ''}${why}`
  const needs = job.slots === 0 ? 'an agent' : job.slots === 1 ? '1 slot' : `${job.slots} slots`
  if (job.state === 'pending') return `job ${job.task} is waiting for ${needs} in pool ${job.resourcePool}`
  return `job ${job.task} is running on ${agentsOf(job)}`
}

const endWords: Partial<Record<JobView['state'], string>> = {
  ending: 'is ending',
  finished: 'has finished',
  failed: 'has failed',
  killed: 'was killed',
  lost: 'is lost',
}

function agentsOf({ containers }: JobView): string {
  return containers.map(({ agent }) => agent).join(', ')
}

/** Quoted for a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
