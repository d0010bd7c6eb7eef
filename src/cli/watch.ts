// A picture that is looked at for a while: redrawn in place on a terminal, one after the other elsewhere.
import { isNoAnswer } from '../http/work-client.ts'
import type { Clock } from '../platform/ports.ts'
import { ProvisionError } from '../problems/problem.ts'
import { liveArea } from './live-area.ts'
import type { Terminal } from './terminal.ts'

export interface Picture {
  lines: string[]
  /** For --format json: one line each time. */
  value: unknown
}

const everyMs = 2000

/** Looks until the process is ended. A provisioner that is away for a while is waited for. */
export async function watchPicture(
  look: () => Promise<Picture>,
  format: 'text' | 'json',
  terminal: Terminal,
  clock: Clock,
): Promise<never> {
  const area = terminal.interactive ? liveArea(terminal.write, terminal.columns) : undefined
  let last = ''
  const show = ({ lines, value }: Picture) => {
    if (format === 'json') return terminal.out(`${JSON.stringify(value)}\n`)
    if (area) return area.draw(fitting(lines, terminal.rows()))
    const text = lines.join('\n')
    if (text !== last) terminal.out(`${text}\n\n`)
    last = text
  }
  // The first look tells whether there is anybody at all.
  show(await look())
  for (;;) {
    await clock.sleep(everyMs)
    await look().then(show, (error: unknown) => {
      if (!isAway(error)) throw error
      if (area) area.draw([`${(error as Error).message}; trying again`])
      else terminal.say(`${(error as Error).message}; trying again`)
    })
  }
}

/** More lines than the terminal has rows could not be drawn over. */
function fitting(lines: string[], rows: number): string[] {
  const room = Math.max(2, rows - 2)
  if (lines.length <= room) return lines
  return [...lines.slice(0, room - 1), `… and ${lines.length - room + 1} more lines`]
}

function isAway(error: unknown): boolean {
  return isNoAnswer(error) || (error instanceof ProvisionError && error.code === 'NOT_RUNNING')
}
