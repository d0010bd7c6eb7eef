// The state in PostgreSQL: one schema, which several processes share, each journal under its lease; or one has it alone.
import type { Clock, Logger } from '../../platform/index.ts'
import type { HoldOptions, JournalOptions, StateStore } from '../store.ts'
import { createAlone } from './alone.ts'
import { type ClusterTables, clusterIn } from './cluster-tables.ts'
import type { Database } from './database.ts'
import { openDecisionTable, queryDecisions } from './decision-table.ts'
import { exchangeTable } from './exchange-table.ts'
import { createFaults } from './failures.ts'
import { identityTable } from './identity-table.ts'
import { joinIn } from './join-tables.ts'
import { leaseTable } from './lease-table.ts'
import type { LineageFile } from './lineage.ts'
import { createLineageWatch } from './lineage-watch.ts'
import { migrate, quoted, versionOf } from './migrations.ts'
import { refuseWhileAlone } from './occupants.ts'
import { keyOf, nameOf, ownerIn, postgresJournals } from './open-journal.ts'
import { openOutputTable } from './output-table.ts'
import { placeOfJournal } from './postgres-journal.ts'
import { proofOf, type Right, rightLost } from './right.ts'
import { groupedAppends, groupedRewrites } from './writes.ts'

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
  earlier?: ClusterTables['earlier']
  /** Where this host remembers the database; left out: nowhere. */
  lineageFile?: LineageFile
}

/** Connects at the first use; makes or changes tables only in `hold`. */
export function postgresStore(options: PostgresStoreOptions): StateStore {
  const { database, program, clock, logger } = options
  const schema = quoted(options.schema)
  const name = `${database.name}, schema ${options.schema}`
  const faults = createFaults(logger)
  const lineage = createLineageWatch({ database, schema, name, file: options.lineageFile, logger })
  const alone = createAlone({ database, schema, name, clock, logger, faults, onRenewed: lineage.check })
  const tables = { database, schema }
  const [append, rewrite] = [groupedAppends(tables), groupedRewrites(tables)]
  const table = { ...tables, name, append, rewrite, lineage }
  const openJournal = postgresJournals(table)
  let isShared = false
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

  async function holdTables(holding: HoldOptions): Promise<() => Promise<void>> {
    // Before a change of the tables: whoever has them alone may be a program of an earlier version.
    if (await ready()) await refuseWhileAlone(database.query, schema, name)
    await migrate(database, options.schema, program)
    isReady = Promise.resolve(true)
    if (holding.alone) return alone.hold(holding)
    await refuseWhileAlone(database.query, schema, name)
    isShared = true
    return async () => {
      isShared = false
    }
  }

  function rightTo({ name: journal, lease }: Pick<JournalOptions, 'name' | 'lease'>): Right {
    if (!isShared) return alone
    const to = placeOfJournal(keyOf(journal), name)
    const isOver = () => rightLost(to)
    return {
      to,
      proof() {
        const epoch = lease?.epoch()
        if (!epoch) throw isOver()
        return proofOf(lease!.name, epoch)
      },
      fault: () => faults.current() ?? (lease?.epoch() ? undefined : isOver().problems[0]),
    }
  }

  return {
    name,
    async hold(holding) {
      const releaseMachine = await options.holdMachine?.(holding)
      try {
        const release = await holdTables(holding)
        try {
          lineage.onLoss((found) => holding.onCommitsLost?.(found))
          await lineage.check()
        } catch (error) {
          await release()
          throw error
        }
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
    leases: leaseTable({ database, schema, faults, lineage }),
    identity: identityTable({ ...table, ready, alone, isShared: () => isShared }),
    openJournal: async (journal) => openJournal(journal, rightTo(journal)),
    cluster: clusterIn({ ...table, ...(options.earlier && { earlier: options.earlier }) }),
    join: joinIn({ ...table, ready }),
    async journals() {
      if (!(await ready())) return []
      const { rows } = await database.query(
        `SELECT name, kind, owner FROM ${schema}.journals WHERE in_use ORDER BY id`,
      )
      return (rows as { name: string; kind: string; owner: string | null }[]).map(headerOf)
    },
    openOutput: ({ lease }) =>
      openOutputTable({ ...table, right: rightTo({ name: 'master', ...(lease && { lease }) }) }),
    openDecisions: (log) => openDecisionTable(table, log),
    readDecisions: async (query) => ((await ready()) ? queryDecisions(table, query) : []),
    close: database.close,
  }
}

function headerOf({ name, kind, owner: text }: { name: string; kind: string; owner: string | null }) {
  const owner = ownerIn(text)
  return { name: nameOf(name), kind, ...(owner && { owner }) }
}
