// From the configuration to the store of its state.
import type { MasterConfig } from '../config/index.ts'
import { type Clock, type Logger, systemClock } from '../platform/index.ts'
import { folderStore } from './folder/folder-store.ts'
import { folderIdentity } from './folder/identity-files.ts'
import type { StateStore, StoredIdentity } from './store.ts'

export type StateConfig = Pick<MasterConfig, 'state_dir'>

export interface StateSurroundings {
  clock: Clock
  logger: Logger
  env: Readonly<Record<string, string | undefined>>
}

/** Nothing is created, written or locked before `hold`. */
export async function openStateStore(
  { state_dir: stateDir }: StateConfig,
  surroundings: StateSurroundings,
): Promise<StateStore> {
  return folderStore({ ...surroundings, stateDir })
}

export type StateReader = Omit<StateStore, 'hold' | 'openJournal' | 'openDecisions'>

/** For commands that change nothing, beside the process that holds the state. */
export function openStateReader(config: StateConfig, env: StateSurroundings['env']): Promise<StateReader> {
  return openStateStore(config, { env, clock: systemClock, logger: silent })
}

/** Only a holder has anything to log. */
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** What is known of the identity without a network; undefined where it is not on this machine. */
export function identityHere({ state_dir }: StateConfig): StoredIdentity | undefined {
  return folderIdentity(state_dir)
}
