// What is said about an order to remove VMs.
import type { Removed } from '../http/order-view.ts'
import type { Terminal } from './terminal.ts'

/** The VMs of a question: their ids as long as one can read them. */
export function theseVms(ids: string[]): string {
  const shown = ids.slice(0, 8).join(', ')
  return ids.length > 8 ? `${shown} and ${ids.length - 8} more` : shown
}

/** `what` is what becomes of one VM, such as `is ended`. */
export function sayRemoved(
  removed: Removed,
  what: string,
  format: 'text' | 'json',
  { out, say }: Pick<Terminal, 'out' | 'say'>,
): void {
  const { ids, waits } = removed
  if (format === 'json') out(`${JSON.stringify(removed, undefined, 2)}\n`)
  else for (const id of ids) say(`${id} ${what}`)
  for (const { pool, code, meaning, remedy } of waits) {
    say(`pool ${pool} waits with it: ${code} ${meaning}`)
    if (remedy) say(`  ${remedy}`)
  }
}
