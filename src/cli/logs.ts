// `provision logs`: the events of the pools; also of a provisioner that no longer runs.

import type { MasterConfig } from '../config/index.ts'
import type { Client } from '../http/index.ts'
import { type JournalRecord, parseDuration, printable } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import { addressed, type CliCommand, type Format, onePoolFlag } from './command.ts'
import { clockTime, waitingClock } from './table.ts'
import { type Context, type Terminal, usage } from './terminal.ts'
import { measureFor, padded } from './text-width.ts'

interface Query {
  pool?: string
  since?: number
  limit?: number
}

interface Reader {
  read(query: Query): Promise<JournalRecord[]>
  close(): Promise<void>
}

const everyMs = 1000
/** A provisioner returns at most this many at once. */
const mostAtOnce = 10_000

export function declareLogs(program: CliCommand): void {
  const command = program.command(
    'logs',
    'print decisions and their outcome, oldest first; also of a stopped provisioner',
  )
  const { config, master, format, connect } = addressed(command)
  const onePool = onePoolFlag(command, 'only this pool')
  const period = command.text('--since <time>', 'only events of this period, such as 10m or 2h')
  const newest = command.textOr('-n, --limit <n>', 'only the newest N events', '100')
  const follow = command.toggle('-f, --follow', 'print new events as they happen')
  command.action(async (context) => {
    const { terminal } = context
    const reader = master.isGiven ? await readerOf(await connect()) : await storeReader(config.value, context)
    const limit = limitOf(newest.value)
    const pool = onePool.value
    const follower = followEvents(
      period.value === undefined ? undefined : Date.now() - periodOf(period.value),
    )
    const look = async () =>
      follower.take(await reader.read({ pool, since: follower.since, limit: mostAtOnce }))
    try {
      const first = await look()
      if (first.length === 0) terminal.say(`no events ${period.value ? 'since then' : 'yet'}`)
      await print(first.slice(-limit), format.value, terminal)
      while (follow.value) {
        await waitingClock.sleep(everyMs)
        await print(await look(), format.value, terminal)
      }
      return 0
    } finally {
      await reader.close()
    }
  })
}

async function print(events: JournalRecord[], format: Format, { out }: Terminal): Promise<void> {
  const pools = events.map(poolOf)
  const measure = await measureFor(pools)
  const width = Math.max(0, ...pools.map(measure))
  for (const event of events) {
    const pool = padded(poolOf(event), width, measure)
    const line = format === 'json' ? JSON.stringify(event) : eventLine(event, pool)
    out(`${printable(line)}\n`)
  }
}

/** From the provisioner that -m names. */
async function readerOf(client: Client): Promise<Reader> {
  const { listEvents } = await import('../http/index.ts')
  return { read: (query) => listEvents(client, query), close: async () => {} }
}

/** From the store of the configuration's state. */
async function storeReader(file: string, context: Context): Promise<Reader> {
  const { placeOf, validConfig } = await import('./connect.ts')
  const { isStateInFolder } = await import('../config/index.ts')
  // The address of a database is read from a valid file only.
  const config = isStateInFolder(file) ? await placeOf(file, context) : await validConfig(file, context)
  const { openStateReader } = await import('../state/index.ts')
  const store = await openStateReader(config, context.env)
  return {
    async read(query) {
      const found = await store.readDecisions(query)
      if (found.length === 0 && config.resource_pools) checkPool(config.resource_pools, query.pool)
      return found
    },
    close: store.close,
  }
}

/** A pool that is no longer configured may still have events; a pool with neither is probably misspelt. */
function checkPool(pools: MasterConfig['resource_pools'], pool: string | undefined): void {
  const names = pools.map(({ pool_name }) => pool_name)
  if (pool === undefined || names.includes(pool)) return
  throw new ProvisionError(
    problem('POOL_UNKNOWN', `no events of a pool ${pool}; the pools are: ${names.join(', ')}`),
  )
}

function limitOf(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1) return limit
  throw wrong(`--limit must be an integer above 0, but is ${text}`)
}

/** Milliseconds. */
function periodOf(text: string): number {
  const period = parseDuration(text)
  if (period !== undefined) return period
  throw wrong(`--since must be a duration such as 10m or 2h, but is ${text}`)
}

function wrong(message: string): ProvisionError {
  return usage(message, 'See `provision logs --help`.')
}

export interface Follower {
  /** Milliseconds since the epoch: what to ask for next, from then on. */
  readonly since: number
  /** Takes the events since `since`, oldest first; returns those that are new. */
  take(events: readonly JournalRecord[]): JournalRecord[]
}

export function followEvents(start = 0): Follower {
  let since = start
  /** Of the events with exactly that time. */
  let taken = 0
  return {
    get since() {
      return since
    },
    take(events) {
      let known = taken
      const fresh = events.filter(({ at }) => at > since || (at === since && known-- <= 0))
      const newest = events.at(-1)?.at ?? since
      const atNewest = events.filter(({ at }) => at === newest).length
      if (newest >= since) [since, taken] = [newest, atNewest]
      return fresh
    },
  }
}

function poolOf(event: JournalRecord): string {
  return String(event['pool'] ?? '')
}

/** Fields of a newer provisioner are ignored; missing fields are left empty. */
export function eventLine(event: JournalRecord, pool: string): string {
  return `${day(event.at)} ${clockTime(event.at)}  ${pool}  ${words(event)}`.trimEnd()
}

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

function words(event: JournalRecord): string {
  const ids = textsOf(event['ids']).join(', ')
  switch (event.kind) {
    case 'decided':
      return `decided to ${event['move']} ${ids || countOf(event['count'])}: ${reasonWords(event['reason'])}`
    // `held` and `ended`: in logs of earlier builds.
    case 'held':
    case 'blocked': {
      const reasons = Array.isArray(event['reasons']) ? event['reasons'].map(reasonWords) : []
      return reasons.length > 0 ? `blocked: ${reasons.join('; ')}` : 'no longer blocked'
    }
    case 'launched': {
      const missing = Number(event['missing'] ?? 0)
      return `launched ${ids || 'nothing'}${missing > 0 ? `; ${missing} not launched` : ''}`
    }
    case 'problem': {
      const { code, message } = (event['problem'] ?? {}) as { code?: string; message?: string }
      return `${code} ${message}`
    }
    case 'ended':
      return `terminated ${ids}`
    default:
      return `${event.kind} ${ids}`
  }
}

function reasonWords(reason: unknown): string {
  const { code, numbers = {} } = (reason ?? {}) as { code?: string; numbers?: Record<string, number> }
  const told = Object.entries(numbers).map(([name, value]) => {
    return `${name} ${name === 'retryAt' ? clockTime(value) : value}`
  })
  return told.length > 0 ? `${code} (${told.join(', ')})` : String(code)
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function countOf(count: unknown): string {
  return `${count} instance${count === 1 ? '' : 's'}`
}
