// Tables on a terminal: printed once, printed again with --watch, or redrawn in place.
import { type Clock, printable } from '../platform/index.ts'
import { ProvisionError } from '../problems/index.ts'
import type { Format } from './command.ts'
import { type Context, type ExitStatus, printJson, type Terminal } from './terminal.ts'

/**
 * Columns as wide as their widest cell, two blanks between; no blanks at the end of a line. Control characters in cells
 * are escaped.
 */
export function table(head: string[], rows: string[][]): string[] {
  const all = [head, ...rows.map((row) => row.map(printable))]
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
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

/** The lower part of a terminal that is redrawn while log lines scroll above it. */
export interface LiveArea {
  /** A line that stays, above the area. */
  print(line: string): void
  /** Replaces what the area shows. */
  draw(lines: string[]): void
  /** Leaves the last lines in place. */
  close(): void
}

const clearDown = '\x1b[0J'

/** @param columns lines are cut at this width, so that each takes one row and can be redrawn */
export function liveArea(write: (text: string) => void, columns: () => number): LiveArea {
  let shown: string[] = []
  const up = () => (shown.length ? `\x1b[${shown.length}A\r${clearDown}` : '')
  const paint = () => shown.map((line) => `${line.slice(0, columns())}\n`).join('')
  return {
    print(line) {
      write(`${up()}${line}\n${paint()}`)
    },
    draw(lines) {
      if (lines.length === shown.length && lines.every((line, n) => line === shown[n])) return
      const erase = up()
      shown = lines
      write(erase + paint())
    },
    close() {
      shown = []
    },
  }
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
  const area = terminal.interactive ? liveArea(terminal.write, terminal.columns) : undefined
  let last = ''
  const show = ({ lines, value }: Picture) => {
    if (format === 'json') return terminal.out(`${JSON.stringify(value)}\n`)
    if (area) return area.draw(fitting(lines, terminal.rows()))
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

/** More lines than the terminal has rows could not be redrawn. */
function fitting(lines: string[], rows: number): string[] {
  const room = Math.max(2, rows - 2)
  if (lines.length <= room) return lines
  return [...lines.slice(0, room - 1), `… and ${lines.length - room + 1} more lines`]
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
