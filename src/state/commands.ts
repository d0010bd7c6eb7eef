// What a person does with the state while no provisioner runs: copying it, and taking its tables one version back.
import type { PostgresConfig } from '../config/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import { type CopiedPart, copyState } from './copy.ts'
import { openStateStore, type StateConfig, type StateSurroundings } from './open.ts'
import type { StateStore } from './store.ts'

export type StoreKind = 'folder' | 'postgres'

/** Between `state_dir` and the database of `state`. Throws a ProvisionError; then the target may be incomplete. */
export async function copyBetween(
  config: StateConfig,
  { from, to }: { from: StoreKind; to: StoreKind },
  surroundings: StateSurroundings,
): Promise<{ from: string; to: string; parts: CopiedPart[] }> {
  const state = databaseIn(config)
  if (from === to) throw usage('--from and --to must differ')
  const folder = await openStateStore({ state_dir: config.state_dir }, surroundings)
  const database = await openStateStore({ state_dir: config.state_dir, state }, surroundings)
  const stores: Record<StoreKind, StateStore> = { folder, postgres: database }
  try {
    // With the right to the database comes that to state_dir, which is the folder.
    const release = await database.hold({ onLost() {}, alone: true })
    try {
      const parts = await copyState(stores[from], stores[to])
      return { from: stores[from].name, to: stores[to].name, parts }
    } finally {
      await release()
    }
  } finally {
    await database.close()
    await folder.close()
  }
}

/** For the version of the program before this one. Returns a sentence. */
export async function tablesBack(config: StateConfig, env: StateSurroundings['env']): Promise<string> {
  const state = databaseIn(config)
  const { stepBack } = await import('./postgres/open.ts')
  return stepBack(state, env)
}

function databaseIn({ state }: StateConfig): PostgresConfig {
  if (state?.type === 'postgres') return state
  throw usage('the configuration names no database', 'Write `state: {type: postgres, …}` into it first.')
}

function usage(message: string, remedy = 'See `provision state --help`.'): ProvisionError {
  return new ProvisionError(problem('USAGE', message, { remedy }))
}
