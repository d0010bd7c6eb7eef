// How far a simulation is: one line that is drawn anew, on a terminal only.
import { formatDuration } from '../platform/duration.ts'
import { liveArea } from './live-area.ts'
import type { Terminal } from './terminal.ts'

const drawEvery = 100
const minute = 60_000
const names = { ours: 'This provisioner', origin: "The origin's policy" }

export interface SimulationProgress {
  /** `elapsed` is virtual milliseconds. */
  show(policy: keyof typeof names, at: { elapsed: number; finished: number; submitted: number }): void
  /** Takes the line away. */
  close(): void
}

export function simulationProgress(terminal: Terminal): SimulationProgress {
  const area = terminal.interactive ? liveArea(terminal.write, () => terminal.columns()) : undefined
  let drawnAt = 0
  return {
    show(policy, { elapsed, finished, submitted }) {
      if (!area || Date.now() - drawnAt < drawEvery) return
      drawnAt = Date.now()
      const time = formatDuration(Math.floor(elapsed / minute) * minute)
      area.draw([`${names[policy]}: ${time} simulated, ${finished} of ${submitted} jobs done`])
    },
    close() {
      area?.draw([])
      area?.close()
    },
  }
}
