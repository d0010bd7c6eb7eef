// Tables on a terminal: printed once, printed again with --watch, or redrawn in place.
import { type Clock, printable } from '../platform/index.ts'
import { ProvisionError } from '../problems/index.ts'
import type { Format } from './command.ts'
import type { LiveArea } from './live-area.ts'
import { type Context, type ExitStatus, printJson, type Terminal } from './terminal.ts'
import { type Measure, measureFor, padded } from './text-width.ts'

/** Columns as wide as their widest cell, two blanks between; no blanks at the end of a line. */
export async function table(head: string[], rows: string[][]): Promise<string[]> {
  return tableOf(head, rows, await measureFor(rows.flat()))
}

/** Where there is no time to load what measures wide characters. */
export function tableOf(head: string[], rows: string[][], measure: Measure): string[] {
  const all = [head, ...rows.map((row) => row.map(printable))]
  const widths = head.map((_, column) => Math.max(...all.map((row) => measure(row[column] ?? ''))))
  return all.map((row) =>
    row
      .map((cell, column) => padded(cell, widths[column] ?? 0, measure))
      .join('  ')
      .trimEnd(),
  )
}

/** 45s, 12m, 3h, 2d: exact enough to see whether something is stuck. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 120) return `${seconds}s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`
}

/** The time of day in UTC; `at` is milliseconds since the epoch. */
export function clockTime(at: number): string {
  return `${new Date(at).toISOString().slice(11, 19)} UTC`
}

export interface Picture {
  lines: string[]
  /** For --format json: one line each time. */
  value: unknown
}

const everyMs = 2000

/** Refreshes until the process ends. Waits for a provisioner that is away for a while. */
export async function watchPicture(
  look: () => Promise<Picture>,
  format: Format,
  terminal: Terminal,
  clock: Clock,
): Promise<never> {
  const area = terminal.interactive ? await liveAreaOn(terminal) : undefined
  let last = ''
  const show = ({ lines, value }: Picture) => {
    if (format === 'json') return terminal.out(`${JSON.stringify(value)}\n`)
    if (area) return area.draw(lines)
    const text = lines.join('\n')
    if (text !== last) terminal.out(`${text}\n\n`)
    last = text
  }
  // The first call throws if no provisioner is there.
  show(await look())
  for (;;) {
    await clock.sleep(everyMs)
    await look().then(show, async (error: unknown) => {
      if (!(await isAway(error))) throw error
      if (area) area.draw([`${(error as Error).message}; trying again`])
      else terminal.say(`${(error as Error).message}; trying again`)
    })
  }
}

/** What measures its lines is loaded only now. */
export async function liveAreaOn(terminal: Terminal): Promise<LiveArea> {
  const { liveArea } = await import('./live-area.ts')
  const area = liveArea(terminal.write, terminal.columns, terminal.rows)
  terminal.onResize?.(area.resize)
  return area
}

async function isAway(error: unknown): Promise<boolean> {
  const { isNoAnswer } = await import('../http/index.ts')
  return isNoAnswer(error) || (error instanceof ProvisionError && error.code === 'NOT_RUNNING')
}

/** The clock of the machine. The user ends a command that waits, so `sleep` needs no signal. */
export const waitingClock: Clock = {
  now: Date.now,
  sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
}

/** Prints a table once, or refreshes it with --watch. */
export async function showPicture(
  look: () => Promise<Picture>,
  format: Format,
  watch: boolean,
  { terminal }: Context,
): Promise<ExitStatus> {
  if (watch) return watchPicture(look, format, terminal, waitingClock)
  const { lines, value } = await look()
  if (format === 'json') printJson(terminal, value)
  else terminal.out(`${lines.join('\n')}\n`)
  return 0
}
