// `provision logs`: what was decided and what became of it; also of a provisioner that does not run any more.
import { setTimeout as wait } from 'node:timers/promises'
import { loadConfig } from '../config/load.ts'
import type { MasterConfig } from '../config/master-config.ts'
import { listEvents } from '../http/fleet-client.ts'
import { parseDuration } from '../platform/duration.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import type { CommandContext } from './command.ts'
import type { ConnectOptions } from './connect.ts'
import { connectFleet } from './connect-fleet.ts'
import { eventLine, type LoggedEvent } from './event-text.ts'
import type { ExitStatus } from './exit.ts'
import { followEvents } from './follow-events.ts'
import { onePool } from './show-picture.ts'

interface Options extends ConnectOptions {
  pool?: string | string[]
  since?: string
  limit: string
  follow?: boolean
  format: 'text' | 'json'
}

interface Query {
  pool?: string
  since?: number
  limit?: number
}

const everyMs = 1000
/** As many as a provisioner answers at once. */
const mostAtOnce = 10_000

export async function run(options: Options, context: CommandContext): Promise<ExitStatus> {
  const { terminal } = context
  const read = await reader(options, context)
  const { pool, since, limit } = queryOf(options, Date.now())
  const follower = followEvents(since)
  const look = async () => follower.take(await read({ pool, since: follower.since, limit: mostAtOnce }))
  const first = await look()
  if (first.length === 0) terminal.say(`nothing is written down ${options.since ? 'since then' : 'yet'}`)
  show(first.slice(-limit))
  while (options.follow) {
    await wait(everyMs)
    show(await look())
  }
  return 0

  function show(events: LoggedEvent[]): void {
    const width = Math.max(0, ...events.map((event) => String(event['pool']).length))
    for (const event of events)
      terminal.out(`${options.format === 'json' ? JSON.stringify(event) : eventLine(event, width)}\n`)
  }
}

/** From the file of the configuration's state folder, or from the provisioner that -m names. */
async function reader(
  options: Options,
  context: CommandContext,
): Promise<(query: Query) => LoggedEvent[] | Promise<LoggedEvent[]>> {
  if (context.isFlag('master')) {
    const client = connectFleet(options, context)
    return (query) => listEvents(client, query)
  }
  const { config, problems } = loadConfig(options.config, { env: context.env })
  if (!config) throw new ProvisionError(problems)
  const { readDecisions } = await import('../provisioner/telemetry.ts')
  return (query) => {
    const found = readDecisions(config, query)
    if (found.length === 0) checkPool(config, query.pool)
    return found
  }
}

/** A pool that is no longer configured may have a past; one without either is most likely misspelt. */
function checkPool({ resource_pools }: MasterConfig, pool: string | undefined): void {
  const names = resource_pools.map(({ pool_name }) => pool_name)
  if (pool === undefined || names.includes(pool)) return
  throw new ProvisionError(
    problem('POOL_UNKNOWN', `nothing is written down about a pool ${pool}; there are: ${names.join(', ')}`),
  )
}

function queryOf(options: Options, now: number): Query & { limit: number } {
  const limit = Number(options.limit)
  if (!Number.isInteger(limit) || limit < 1)
    throw usage(`--limit must be a whole number above 0, but is ${options.limit}`)
  const pool = onePool(options)
  if (options.since === undefined) return { pool, limit }
  const period = parseDuration(options.since)
  if (period === undefined)
    throw usage(`--since must be a duration such as 10m or 2h, but is ${options.since}`)
  return { pool, since: now - period, limit }
}

function usage(message: string): ProvisionError {
  return new ProvisionError(problem('USAGE', message, { remedy: 'See `provision logs --help`.' }))
}
