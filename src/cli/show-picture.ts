// A table once, or for as long as somebody looks at it.
import { ProvisionError, problem } from '../problems/problem.ts'
import type { CommandContext } from './command.ts'
import type { ExitStatus } from './exit.ts'
import { waitingClock } from './follow-work.ts'
import { type Picture, watchPicture } from './watch.ts'

export interface ViewOptions {
  /** A list: the program's own --pool may be given again. */
  pool?: string | string[]
  watch?: boolean
  format: 'text' | 'json'
}

export async function showPicture(
  { watch, format }: ViewOptions,
  { terminal }: CommandContext,
  look: () => Promise<Picture>,
): Promise<ExitStatus> {
  if (watch) return watchPicture(look, format, terminal, waitingClock)
  const { lines, value } = await look()
  terminal.out(format === 'json' ? `${JSON.stringify(value, undefined, 2)}\n` : `${lines.join('\n')}\n`)
  return 0
}

/** Throws USAGE for more than one. */
export function onePool({ pool }: { pool?: string | string[] }): string | undefined {
  const named = [pool ?? []].flat()
  if (named.length <= 1) return named[0]
  throw new ProvisionError(
    problem('USAGE', '--pool takes one pool here', { remedy: 'Leave it out to see all.' }),
  )
}
