// The log of a task as Determined's clients read it: what the master did with the job, and between that the output of its
// containers, as far as it is kept. It can be followed until the job is over.

import { isOver, type LogLine, type Written } from '../../http/index.ts'
import type { Allocation } from './allocation.ts'
import type { LogStore } from './log-store.ts'

/** One line (Determined: apiv1.TaskLogsResponse). */
export interface TaskLog {
  /** In the order of the log. */
  id: string
  taskId: string
  allocationId: string
  agentId: string | null
  containerId: string | null
  rankId: number | null
  /** RFC 3339, by the clock of the agent, or of the master for its own lines. */
  timestamp: string
  level: string
  /** With its newline. */
  log: string
  /** The line as clients print it. */
  message: string
  source: 'master' | 'agent' | 'task'
  stdtype: 'stdout' | 'stderr' | null
}

export interface TaskLogsOptions {
  find: (id: string) => Allocation | undefined
  logs: Pick<LogStore, 'read' | 'count' | 'load'>
  waiters: Waiters
  /** Aborted when the master stops. */
  closed: AbortSignal
}

/** Lines that are handed out before the store is asked again, so that a slow reader keeps few of them. */
const portion = 20

/**
 * The lines of an allocation, oldest first, each when it is there. With `follow` the log ends when the job is over, the
 * reader has left or the master stops, otherwise after the present lines.
 */
export async function* taskLog(
  { find, logs, waiters, closed }: TaskLogsOptions,
  id: string,
  follow: boolean,
  left: AbortSignal,
): AsyncGenerator<TaskLog> {
  const ended = AbortSignal.any([left, closed])
  let next: Cursor = { part: 'submitted', line: 0 }
  await logs.load(id)
  for (;;) {
    const allocation = find(id)
    if (!allocation || ended.aborted) return
    const found = linesAfter(allocation, logs, next)
    next = found.next
    yield* found.lines
    if (found.lines.length > 0) continue
    if (!follow || isOver(allocation)) return
    // Nothing has happened since `find`, because there was no await: no line is missed.
    await waiters.wait(id, ended)
  }
}

interface Cursor {
  part: 'submitted' | 'started' | 'output' | 'over'
  /** Of the output: lines before it have been read. */
  line: number
}

/** At most a portion of the lines that follow the cursor. */
function linesAfter(
  allocation: Allocation,
  logs: TaskLogsOptions['logs'],
  { part, line }: Cursor,
): { lines: TaskLog[]; next: Cursor } {
  const { name, slots, pool, startedAt, endedAt } = allocation
  if (part === 'submitted') {
    const size = slots === 1 ? '1 slot' : `${slots} slots`
    const text = `${name} was submitted: ${size} in pool ${pool}`
    return { lines: [own(allocation, 0, allocation.submittedAt, text)], next: { part: 'started', line } }
  }
  if (part === 'started' && startedAt !== undefined) {
    const agents = allocation.containers.map(({ agentId }) => agentId).join(', ')
    const text = `${name} was assigned to ${agents}`
    return { lines: [own(allocation, 1, startedAt, text)], next: { part: 'output', line } }
  }
  if (part !== 'over' && startedAt !== undefined) {
    const kept = logs.read(allocation.id, line)
    const first = logs.count(allocation.id) - kept.length
    if (first > line) {
      const text = `${first - line} lines are no longer kept`
      const at = Date.parse(kept[0]?.timestamp ?? '')
      const missing = own(allocation, firstOutput + first - 1, at || startedAt, text, 'WARNING')
      return { lines: [missing], next: { part: 'output', line: first } }
    }
    const lines = kept.slice(0, portion).map((entry, i) => outputLine(allocation, line + i, entry))
    if (lines.length > 0) return { lines, next: { part: 'output', line: line + lines.length } }
  }
  if (part === 'over' || endedAt === undefined) return { lines: [], next: { part, line } }
  const last = firstOutput + logs.count(allocation.id)
  const good = allocation.state === 'finished'
  const text = `${name} ${outcomes[allocation.outcome!]}${allocation.reason ? `: ${allocation.reason}` : ''}`
  return {
    lines: [own(allocation, last, endedAt, text, good ? 'INFO' : 'ERROR')],
    next: { part: 'over', line },
  }
}

/** The id of the first line of output. */
const firstOutput = 2

const outcomes = { finished: 'has finished', failed: 'has failed', killed: 'was killed', lost: 'was lost' }

function own(allocation: Allocation, seq: number, at: number, text: string, level = 'INFO'): TaskLog {
  const timestamp = new Date(at).toISOString()
  const log = `${text}\n`
  return {
    ...{ id: String(seq), taskId: allocation.task, allocationId: allocation.id },
    ...{ agentId: null, containerId: null, rankId: null, timestamp },
    ...{ level: `LOG_LEVEL_${level}`, log, message: printed(timestamp, '', undefined, level, log) },
    ...{ source: 'master', stdtype: null },
  }
}

function outputLine(allocation: Allocation, line: number, entry: Written<LogLine>): TaskLog {
  const { containerId, stream, text } = entry
  const rank = allocation.containers.findIndex(({ id }) => id === containerId)
  const timestamp = entry.timestamp || new Date(allocation.startedAt!).toISOString()
  const log = text.endsWith('\n') ? text : `${text}\n`
  const level = stream === 'agent' ? 'INFO' : undefined
  return {
    ...{ id: String(firstOutput + line), taskId: allocation.task, allocationId: allocation.id },
    ...{ agentId: allocation.containers[rank]?.agentId ?? null, containerId },
    ...{ rankId: rank < 0 ? null : rank, timestamp, level: `LOG_LEVEL_${level ?? 'UNSPECIFIED'}`, log },
    message: printed(timestamp, containerId, rank < 0 ? undefined : rank, level, log),
    source: stream === 'agent' ? 'agent' : 'task',
    stdtype: stream === 'agent' ? null : stream,
  }
}

/** As Determined's master writes it, so that scripts which read it work (Determined: master/pkg/model/task.go). */
function printed(
  time: string,
  container: string,
  rank: number | undefined,
  level: string | undefined,
  log: string,
): string {
  const parts = [`[${time}]`, container.slice(0, 8).padEnd(8)]
  if (rank !== undefined) parts.push(`[rank=${rank}]`)
  parts.push('||')
  if (level !== undefined) parts.push(`${level}:`)
  return [...parts, log].join(' ')
}

// What a client wants of a log (Determined: proto/src/determined/api/v1/task.proto, TaskLogsRequest).

export interface TaskLogsQuery {
  follow: boolean
  /** 0: all. */
  limit: number
  newestFirst: boolean
  matches: (line: TaskLog) => boolean
}

/** The query, or what is wrong with it. */
export function readTaskLogsQuery(query: URLSearchParams): TaskLogsQuery | string {
  const limit = Number(query.get('limit') || 0)
  if (!Number.isInteger(limit) || limit < 0) return 'limit must be an integer of at least 0'
  if (query.get('enableRegex') === 'true') return 'regular expressions are not supported'
  const times = { timestampBefore: Number.POSITIVE_INFINITY, timestampAfter: Number.NEGATIVE_INFINITY }
  for (const name of ['timestampBefore', 'timestampAfter'] as const) {
    const text = query.get(name)
    if (!text) continue
    times[name] = Date.parse(text)
    if (Number.isNaN(times[name])) return `${name} must be a time such as 2026-11-29T10:25:31Z`
  }
  const newestFirst = query.get('orderBy') === 'ORDER_BY_DESC'
  const follow = query.get('follow') === 'true'
  if (follow && newestFirst) return 'a log is followed oldest first'
  const wanted = filters.map(({ parameter, of }) => ({ of, values: query.getAll(parameter) }))
  const searchText = query.get('searchText') ?? ''
  return {
    ...{ follow, limit, newestFirst },
    matches(line) {
      const at = Date.parse(line.timestamp)
      return (
        wanted.every(({ of, values }) => values.length === 0 || values.includes(String(of(line)))) &&
        line.log.includes(searchText) &&
        !(at >= times.timestampBefore || at <= times.timestampAfter)
      )
    },
  }
}

const filters: { parameter: string; of: (line: TaskLog) => unknown }[] = [
  { parameter: 'allocationIds', of: (line) => line.allocationId },
  { parameter: 'agentIds', of: (line) => line.agentId },
  { parameter: 'containerIds', of: (line) => line.containerId },
  { parameter: 'rankIds', of: (line) => line.rankId },
  { parameter: 'levels', of: (line) => line.level },
  { parameter: 'sources', of: (line) => line.source },
  { parameter: 'stdtypes', of: (line) => line.stdtype },
]

/** The wanted lines as the gateway streams them. */
export async function* wantedLines(lines: AsyncIterable<TaskLog>, query: TaskLogsQuery) {
  const most = query.limit || Number.POSITIVE_INFINITY
  if (query.newestFirst) {
    // At most what the store keeps.
    const all: TaskLog[] = []
    for await (const line of lines) if (query.matches(line)) all.push(line)
    for (const result of all.reverse().slice(0, most)) yield { result }
    return
  }
  let sent = 0
  for await (const result of lines) {
    if (!query.matches(result)) continue
    yield { result }
    if (++sent >= most) return
  }
}

// Readers that wait for news of an allocation.

export interface Waiters {
  /** There is news: everybody who waits for it continues. */
  wake(id: string): void
  /** Resolves at the next news, or when `signal` is aborted. */
  wait(id: string, signal: AbortSignal): Promise<void>
}

export function createWaiters(): Waiters {
  const waiting = new Map<string, Set<() => void>>()
  return {
    wake(id) {
      for (const go of waiting.get(id) ?? []) go()
    },
    wait: (id, signal) =>
      new Promise((resolve) => {
        const all = waiting.get(id) ?? new Set()
        function go(): void {
          signal.removeEventListener('abort', go)
          all.delete(go)
          if (all.size === 0) waiting.delete(id)
          resolve()
        }
        if (signal.aborted) return resolve()
        waiting.set(id, all.add(go))
        signal.addEventListener('abort', go)
      }),
  }
}
