// The lower part of a terminal that is redrawn in place while log lines scroll above it.
import stringWidth from 'string-width'
import type { Measure } from './text-width.ts'

export interface LiveArea {
  /** For tables that are drawn in it. */
  measure: Measure
  /** A line that stays, above the area. */
  print(line: string): void
  /** Replaces what the area shows. */
  draw(lines: string[]): void
  /** Draws again after the terminal has changed its size. */
  resize(): void
  /** Leaves the last lines in place. */
  close(): void
}

/** Line by line: some terminals keep a copy of a screen that is cleared as a whole. */
const eraseRowAbove = '\x1b[1A\x1b[2K'
const graphemes = new Intl.Segmenter()

/**
 * @param columns of the terminal now. Lines are cut at this width, so that each takes one row; a terminal that got
 * narrower since has broken them into more rows, all of which are erased.
 * @param rows of the terminal now: lines above its top could not be erased, so no more than these are shown.
 */
export function liveArea(write: (text: string) => void, columns: () => number, rows: () => number): LiveArea {
  let shown: string[] = []
  /** As they are on the terminal. */
  let painted: string[] = []
  const up = () => {
    const height = painted.reduce((sum, line) => sum + rowsOf(line, columns()), 0)
    return eraseRowAbove.repeat(height)
  }
  const paint = () => {
    painted = fitting(shown, rows()).map((line) => cut(line, columns()))
    return painted.map((line) => `${line}\n`).join('')
  }
  const repaint = (above = '') => {
    const erase = up()
    write(`${erase}${above}${paint()}`)
  }
  return {
    measure: stringWidth,
    print: (line) => repaint(`${line}\n`),
    draw(lines) {
      if (lines.length === shown.length && lines.every((line, n) => line === shown[n])) return
      shown = lines
      repaint()
    },
    resize() {
      if (painted.length > 0) repaint()
    },
    close() {
      shown = []
      painted = []
    },
  }
}

function rowsOf(line: string, columns: number): number {
  return Math.max(1, Math.ceil(stringWidth(line) / columns))
}

/** One row is for the cursor, and one for a log line above. */
function fitting(lines: string[], rows: number): string[] {
  const room = Math.max(2, rows - 2)
  if (lines.length <= room) return lines
  return [...lines.slice(0, room - 1), `… and ${lines.length - room + 1} more lines`]
}

/** A line that is cut ends in `…`. */
function cut(line: string, columns: number): string {
  if (stringWidth(line) <= columns) return line
  let kept = ''
  let width = 1
  for (const { segment } of graphemes.segment(line)) {
    width += stringWidth(segment)
    if (width > columns) break
    kept += segment
  }
  return `${kept}…`
}
