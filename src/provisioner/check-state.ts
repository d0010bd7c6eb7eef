// The row of `provision check` about the database of the state.
import type { MasterConfig } from '../config/index.ts'
import { ProvisionError } from '../problems/index.ts'
import { checkDatabase } from '../state/index.ts'
import { type CheckRow, rowsOf } from './check-rows.ts'

/** No row for a folder: a start checks its rights. */
export async function checkState(
  { state }: MasterConfig,
  env: Readonly<Record<string, string | undefined>>,
): Promise<CheckRow[]> {
  if (state.type !== 'postgres') return []
  const { passed, of } = rowsOf('state')
  try {
    const { note, problems } = await checkDatabase(state, env)
    return [passed('database', note), ...problems.map((found) => of('database', found))]
  } catch (error) {
    if (error instanceof ProvisionError) return error.problems.map((found) => of('database', found))
    throw error
  }
}
