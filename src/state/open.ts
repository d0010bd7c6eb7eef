// From the configuration to the store of its state.
import type { MasterConfig, PostgresConfig } from '../config/index.ts'
import { type Clock, type Logger, systemClock } from '../platform/index.ts'
import { folderStore } from './folder/folder-store.ts'
import { folderIdentity } from './folder/identity-files.ts'
import type { DatabaseReport } from './postgres/report.ts'
import type { StateStore, StoredIdentity } from './store.ts'

/** Without `state`: the folder `state_dir`. */
export type StateConfig = Pick<MasterConfig, 'state_dir'> & Partial<Pick<MasterConfig, 'state'>>

export interface StateSurroundings {
  clock: Clock
  logger: Logger
  env: Readonly<Record<string, string | undefined>>
}

/** Nothing is created, written or locked before `hold`. Throws STATE_URL_INVALID. */
export async function openStateStore(
  { state, state_dir: stateDir }: StateConfig,
  surroundings: StateSurroundings,
): Promise<StateStore> {
  if (state?.type !== 'postgres') return folderStore({ ...surroundings, stateDir })
  const { openPostgresStore } = await import('./postgres/open.ts')
  return openPostgresStore(state, { ...surroundings, stateDir })
}

export type StateReader = Omit<
  StateStore,
  'hold' | 'leases' | 'openJournal' | 'openOutput' | 'openDecisions' | 'cluster'
>

/** For commands that change nothing, beside the process that holds the state. */
export function openStateReader(config: StateConfig, env: StateSurroundings['env']): Promise<StateReader> {
  return openStateStore(config, { env, clock: systemClock, logger: silent })
}

/** Only a holder has anything to log. */
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Connects and reads. Throws a ProvisionError. */
export async function checkDatabase(
  config: PostgresConfig,
  env: StateSurroundings['env'],
): Promise<DatabaseReport> {
  const { checkPostgres } = await import('./postgres/report.ts')
  return checkPostgres(config, env)
}

/** What is known of the identity without a network; undefined where it is not on this machine. */
export function identityHere({ state, state_dir }: StateConfig): StoredIdentity | undefined {
  return state?.type === 'postgres' ? undefined : folderIdentity(state_dir)
}
