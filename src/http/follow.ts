// Watches work until it is over, and passes on what it prints meanwhile.
import type { Clock } from '../platform/ports.ts'
import type { Client } from './client.ts'
import { isNoAnswer } from './submit.ts'
import { logsOf, showWork } from './work-client.ts'
import { isOver, type LogLine, type WorkView } from './work-view.ts'

export interface Follower {
  onLine(line: LogLine, work: WorkView): void
  /** At first, and whenever its state is another. */
  onState(work: WorkView): void
  /** No answer; it is tried again. */
  onSilence(error: Error): void
}

/** Milliseconds between two looks: soon at first, since most mistakes show at once. */
const firstPause = 200
const longestPause = 2000
/** Looks without an answer after which the master is given up: about two minutes. */
const mostSilent = 60

/** Resolves with the work as it ended. Throws what `showWork` throws, and the last silence when it stays silent. */
export async function followWork(
  client: Client,
  id: string,
  follower: Follower,
  clock: Clock,
): Promise<WorkView> {
  let seen = 0
  let state = ''
  let silent = 0
  for (let pause = firstPause; ; pause = Math.min(pause * 1.3, longestPause)) {
    try {
      // The work first: when that is over, all that it printed is there.
      const work = await showWork(client, id)
      seen = await passOn(work, seen)
      if (work.state !== state) follower.onState(work)
      state = work.state
      silent = 0
      if (isOver(work)) return work
    } catch (error) {
      if (!isNoAnswer(error) || ++silent >= mostSilent) throw error
      if (silent === 1) follower.onSilence(error)
    }
    await clock.sleep(pause)
  }

  async function passOn(work: WorkView, after: number): Promise<number> {
    if (!work.command) return after
    const { logs, count } = await logsOf(client, id, after)
    // A master that was started again knows the lines since then only.
    if (count < after) return passOn(work, 0)
    for (const line of logs) follower.onLine(line, work)
    return count
  }
}
