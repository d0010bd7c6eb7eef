// The state in a folder: the default. One process at a time, one machine.
import { join } from 'node:path'
import { type Clock, fileNameOf, type Logger, wallTime } from '../../platform/index.ts'
import type { JournalName, StateStore } from '../store.ts'
import { folderCluster } from './cluster-file.ts'
import { openDecisionFile, readDecisionFile } from './decision-file.ts'
import { holdStateFolder } from './hold.ts'
import { folderIdentity } from './identity-files.ts'
import { openJournalFile } from './journal-file.ts'
import { journalsIn } from './journal-list.ts'
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
