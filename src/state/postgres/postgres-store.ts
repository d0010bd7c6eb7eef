// The state in PostgreSQL: one schema, one holder at a time.
import type { Clock, Logger } from '../../platform/index.ts'
import type { HoldOptions, IdentityPart, StateStore, StoredIdentity, StoreWords, Trace } from '../store.ts'
import { groupedAppends } from './appends.ts'
import type { Database } from './database.ts'
import { openDecisionTable, queryDecisions } from './decision-table.ts'
import { exchangeTable } from './exchange-table.ts'
import { migrate, quoted, versionOf } from './migrations.ts'
import { nameOf, openPostgresJournal, ownerIn } from './open-journal.ts'
import { placeOfJournal } from './postgres-journal.ts'
import { createRight, heldBy, heldRow, type Right, rightLost } from './right.ts'

export interface PostgresStoreOptions {
  database: Database
  /** Its name, as the user wrote it. */
  schema: string
  /** Version of this program, noted with the tables it makes. */
  program: string
  clock: Clock
  logger: Logger
  /** What else only one process may have: its folder on this machine. Taken first. */
  holdMachine?: (options: HoldOptions) => Promise<() => void>
}

/** Connects at the first use; makes or changes tables only in `hold`. */
export function postgresStore(options: PostgresStoreOptions): StateStore {
  const { database, program, clock, logger } = options
  const schema = quoted(options.schema)
  const name = `${database.name}, schema ${options.schema}`
  const right = createRight({ database, schema, name, clock, logger })
  const append = groupedAppends({ database, schema, name, right })
  const table = { database, schema, name, right, append }
  let isReady: Promise<boolean> | undefined

  /** False where there are no tables yet: a reader finds nothing. Throws STATE_SCHEMA_NEWER. */
  function ready(): Promise<boolean> {
    isReady ??= versionOf(database.query, options.schema, name).then((version) => version > 0)
    isReady.then(
      (found) => {
        if (!found) isReady = undefined
      },
      () => (isReady = undefined),
    )
    return isReady
  }

  return {
    name,
    async hold(holding) {
      const releaseMachine = await options.holdMachine?.(holding)
      try {
        await migrate(database, options.schema, program)
        isReady = Promise.resolve(true)
        const release = await right.hold(holding)
        return async () => {
          await release()
          releaseMachine?.()
        }
      } catch (error) {
        releaseMachine?.()
        throw error
      }
    },
    exchange: exchangeTable({ database, schema }),
    identity: identityIn({ ...table, ready }),
    openJournal: (journal) => openPostgresJournal(table, journal),
    async journals() {
      if (!(await ready())) return []
      const { rows } = await database.query(
        `SELECT name, kind, owner FROM ${schema}.journals WHERE in_use ORDER BY id`,
      )
      return (rows as { name: string; kind: string; owner: string | null }[]).map(headerOf)
    },
    openDecisions: (log) => openDecisionTable(table, log),
    readDecisions: async (query) => ((await ready()) ? queryDecisions(table, query) : []),
    close: database.close,
  }
}

function headerOf({ name, kind, owner: text }: { name: string; kind: string; owner: string | null }) {
  const owner = ownerIn(text)
  return { name: nameOf(name), kind, ...(owner && { owner }) }
}

interface IdentityTable {
  database: Database
  schema: string
  name: string
  right: Right
  ready(): Promise<boolean>
}

function identityIn({ database, schema, name, right, ready }: IdentityTable): StoredIdentity {
  const placeOf = (part: string) => `${part} in ${name}`

  async function partsThere(): Promise<string[]> {
    if (!(await ready())) return []
    const { rows } = await database.query(`SELECT part FROM ${schema}.identity`)
    return rows.map(({ part }) => String(part))
  }

  async function journals(condition: string): Promise<Trace[]> {
    if (!(await ready())) return []
    const { rows } = await database.query(
      `SELECT name, owner FROM ${schema}.journals WHERE ${condition} ORDER BY name = 'master' DESC, name`,
    )
    return (rows as { name: string; owner: string | null }[]).map((row) => {
      const owner = ownerIn(row.owner)
      return { place: placeOfJournal(row.name, name), ...(owner && { owner }) }
    })
  }

  return {
    async read(part) {
      if (!(await ready())) return undefined
      const { rows } = await database.query(`SELECT value FROM ${schema}.identity WHERE part = $1`, [part])
      return rows[0] && String(rows[0]['value'])
    },
    async write(part: IdentityPart, value) {
      const { count } = await database.query(
        `WITH held AS (${heldRow(schema)})
         INSERT INTO ${schema}.identity (part, value) SELECT $4::text, $5::text FROM held
         ON CONFLICT (part) DO UPDATE SET value = excluded.value, written_at = clock_timestamp()`,
        [...heldBy(right.epoch()), part, value],
      )
      if (count === 0) throw rightLost(name)
    },
    placeOf,
    async traces() {
      const there = await partsThere()
      const parts = ['writer-id', 'incarnations'].filter((part) => there.includes(part))
      return [...parts.map((part) => ({ place: placeOf(part) })), ...(await journals('in_use'))]
    },
    isNew: async () => (await partsThere()).length === 0 && (await journals('true')).length === 0,
    pools: async () => (await journals('true')).flatMap(({ owner }) => owner?.pool ?? []),
    words: wordsOf(schema),
  }
}

function wordsOf(schema: string): StoreWords {
  const literal = (text: string) => `'${text.replaceAll("'", "''")}'`
  return {
    noun: 'schema',
    writeAgain: (part, value) =>
      `INSERT INTO ${schema}.identity (part, value) VALUES (${literal(part)}, ${literal(value)}) ON CONFLICT (part) DO UPDATE SET value = excluded.value`,
    startEmpty: (label) =>
      `start with an empty schema: ALTER SCHEMA ${schema} RENAME TO ${quoted(`${schema.slice(1, -1).replaceAll('""', '"')}_${label}`)}`,
    removeAll: `run DROP SCHEMA ${schema} CASCADE`,
  }
}

/** About the database, for `provision check`. Throws a ProvisionError. */
export async function describeDatabase({
  database,
  schema,
}: Pick<PostgresStoreOptions, 'database' | 'schema'>): Promise<{ server: string; tables: number }> {
  const { rows } = await database.query("SELECT current_setting('server_version') AS version")
  const tables = await versionOf(database.query, schema, database.name)
  return { server: String(rows[0]?.['version']).split(' ')[0]!, tables }
}
