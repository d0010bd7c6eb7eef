// Before what cannot be undone: a question on a terminal, --yes elsewhere.
import { ProvisionError, problem } from '../problems/problem.ts'
import { confirmed, type Terminal } from './terminal.ts'

/** `what` is a question. False when the answer is no; throws CONFIRMATION_NEEDED where nobody can be asked. */
export async function confirm(
  what: string,
  yes: boolean | undefined,
  { ask, say }: Terminal,
): Promise<boolean> {
  if (yes) return true
  if (!ask) throw new ProvisionError(problem('CONFIRMATION_NEEDED', `not confirmed: ${what}`))
  if (await confirmed(ask, what)) return true
  say('Nothing was done.')
  return false
}
