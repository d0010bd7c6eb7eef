// Jobs on a terminal: the table, the details of one, its output, and a line for each change of state.
import { type Client, followJob, isOver, type JobView, type LogLine } from '../http/index.ts'
import { printable } from '../platform/index.ts'
import type { Format } from './command.ts'
import { reasonNote } from './fleet-text.ts'
import { age, table, waitingClock } from './table.ts'
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
      onState: (job) => sayLines(terminal, stateLines(job, waitingClock.now())),
      onStillWaiting: (job) => sayLines(terminal, stateLines(job, waitingClock.now()).slice(0, 1)),
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

const head = ['ID', 'STATE', 'POOL', 'SLOTS', 'PRIORITY', 'AGENTS', 'SUBMITTED', 'WAITS FOR', 'NAME']

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
      one.waiting?.code ?? '-',
      one.name,
    ]),
  )
}

export function jobLines(job: JobView, now: number): string[] {
  const [why, remedy] = waitNote(job, now)
  const rows: [string, string | null | undefined][] = [
    ['id', job.task],
    ['name', job.name],
    ['state', job.reason ? `${job.state}: ${job.reason}` : job.state],
    ['waits for', why],
    ['remedy', remedy],
    ['pool', job.resourcePool],
    ['slots', String(job.slots)],
    ['priority', String(job.priority)],
    ['duration', job.duration],
    ['command', job.command?.map(quoted).join(' ')],
    ['image', job.image],
    ['submitted', job.submittedAt],
    ['started', job.startedAt],
    ['ended', job.endedAt],
    ['agents', agentsOf(job)],
  ]
  return rows.flatMap(([name, value]) => (value ? [`${name.padEnd(10)} ${printable(value)}`] : []))
}

/** As `docker run` does when no command ran to its end. */
const noStatus = 125

/**
 * The exit status of the command: 128 plus the number of the signal that killed it. Of several containers the first one
 * that was not killed decides: when one fails, the others are killed. 125 for a job that has no such status: it was lost,
 * canceled before it started, or could not start.
 */
export function exitStatusOfJob({ state, containers }: JobView): number {
  if (state === 'finished') return 0
  const failed = containers.flatMap(({ exitCode }) => (exitCode ? [exitCode] : []))
  return failed.find((status) => status < 128) ?? failed[0] ?? noStatus
}

function sayLines(terminal: Terminal, lines: string[]): void {
  for (const line of lines) terminal.say(line)
}

/** `job 1f2e is waiting for 1 slot in pool default: PAUSED …`, and what to do about it in a second line. */
function stateLines(job: JobView, now: number): string[] {
  const [why, remedy] = waitNote(job, now)
  return [
    why ? `${stateSentence(job)}: ${printable(why)}` : stateSentence(job),
    ...(remedy ? [`  ${printable(remedy)}`] : []),
  ]
}

/** Why it waits, since when, and when it is tried again; and what to do about it. */
function waitNote({ waiting }: JobView, now: number): [why?: string, remedy?: string] {
  if (!waiting) return []
  const { instances = [], since, nextAt } = waiting
  const [words, remedy] = reasonNote({ ...waiting, ...(instances.length > 0 ? { numbers: {} } : {}) })
  const next = Date.parse(nextAt) - now
  const what = waiting.code === 'INSTANCE_STARTING' ? 'given up in' : 'checked again in'
  const notes = [
    ...instances,
    `for ${age(now - Date.parse(since))}`,
    ...(next > 0 ? [`${what} ${age(next + 999)}`] : []),
  ]
  return [`${words} [${notes.join(', ')}]`, remedy]
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
