// The lower part of a terminal that is drawn anew while log lines scroll above it.

export interface LiveArea {
  /** A line that stays, above the area. */
  print(line: string): void
  /** Replaces what the area shows. */
  draw(lines: string[]): void
  /** Leaves the last picture where it is. */
  close(): void
}

const clearDown = '\x1b[0J'

/** @param columns lines are cut there, so that each takes one row and the next drawing finds them */
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
