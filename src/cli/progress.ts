// What a command that takes more than two seconds is doing: redrawn in place on a terminal, a line now and then elsewhere.
// On standard error only.
import { age, liveAreaOn } from './table.ts'
import type { Terminal } from './terminal.ts'

export interface Progress {
  /** What is being done now. May be called often. */
  show(text: string): void
  /** Writes a line that stays, beside the progress. */
  print(line: string): void
  /** Removes the line from a terminal. */
  close(): void
}

/** Milliseconds until the first update and between two: on a terminal, and elsewhere. */
const onTerminal = { first: 2000, every: 200 }
const inLines = { first: 2000, every: 10_000 }

/** @param now milliseconds on any clock */
export async function progressOn(terminal: Terminal, now: () => number = Date.now): Promise<Progress> {
  const area = terminal.interactive ? await liveAreaOn(terminal) : undefined
  const pace = area ? onTerminal : inLines
  const startedAt = now()
  let nextAt = startedAt + pace.first
  return {
    show(text) {
      const at = now()
      if (at < nextAt) return
      nextAt = at + pace.every
      const line = `${text} (${age(at - startedAt)})`
      if (area) area.draw([line])
      else terminal.say(line)
    },
    print: (line) => (area ? area.print(line.trimEnd()) : terminal.write(line)),
    close() {
      area?.draw([])
      area?.close()
    },
  }
}

/** Shows the text and the time for as long as the task runs. */
export async function withProgress<T>(
  terminal: Terminal,
  text: string,
  task: (print: Progress['print']) => Promise<T>,
): Promise<T> {
  const progress = await progressOn(terminal)
  const timer = setInterval(() => progress.show(text), onTerminal.every)
  timer.unref()
  try {
    return await task(progress.print)
  } finally {
    clearInterval(timer)
    progress.close()
  }
}
