// The state in a folder: the default. One process at a time, one machine.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, fileNameOf, type Logger, wallTime } from '../../platform/index.ts'
import type { JournalHeader, JournalName, StateStore } from '../store.ts'
import { folderCluster } from './cluster-file.ts'
import { openDecisionFile, readDecisionFile } from './decision-file.ts'
import { holdStateFolder } from './hold.ts'
import { folderIdentity } from './identity-files.ts'
import { folderJoin } from './join-files.ts'
import { journalHeaderOf, openJournalFile } from './journal-file.ts'
import { outputFiles } from './output-files.ts'

export interface FolderStoreOptions {
  /** Absolute. */
  stateDir: string
  clock: Clock
  logger: Logger
  env: Readonly<Record<string, string | undefined>>
}

/** Opens nothing yet: a reader leaves no trace. */
export function folderStore({ stateDir, clock, logger, env }: FolderStoreOptions): StateStore {
  const decisions = join(stateDir, 'logs', 'decisions.jsonl')
  return {
    name: `state_dir ${stateDir}`,
    hold: ({ onLost }) => holdStateFolder({ stateDir, clock, logger, env, onLost }),
    identity: folderIdentity(stateDir),
    cluster: folderCluster(stateDir),
    join: folderJoin(stateDir, () => wallTime(clock)),
    openJournal: ({ name, ...options }) =>
      openJournalFile({ ...options, file: join(stateDir, journalPath(name)), now: wallTime(clock) }),
    journals: async () => journalsIn(stateDir),
    openOutput: () => outputFiles({ folder: join(stateDir, 'output') }),
    openDecisions: ({ onFault }) => openDecisionFile({ file: decisions, onFault }),
    readDecisions: async (query) => readDecisionFile(decisions, query),
    close: async () => {},
  }
}

function journalPath(name: JournalName): string {
  return name === 'master' ? 'master.journal' : join('fleet', `${fileNameOf(name.pool)}.journal`)
}

// The journals in a folder, by their first lines.

const suffix = '.journal'

/** Files without a readable first line are left out; a start would set them aside. */
function journalsIn(stateDir: string): JournalHeader[] {
  const fleet = join(stateDir, 'fleet')
  const pools = existsSync(fleet) ? readdirSync(fleet).filter((name) => name.endsWith(suffix)) : []
  return [
    ...headerOf(join(stateDir, 'master.journal'), () => 'master'),
    ...pools.flatMap((file) =>
      headerOf(join(fleet, file), (pool = decodeURIComponent(file.slice(0, -suffix.length))) => ({ pool })),
    ),
  ]
}

function headerOf(file: string, nameOf: (pool?: string) => JournalName): JournalHeader[] {
  const header = journalHeaderOf(file)
  return header ? [{ name: nameOf(header.owner?.pool), ...header }] : []
}
