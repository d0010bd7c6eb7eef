// Taking agents out of the scheduler's hands, and giving them back.

import { withDeadline } from '../platform/deadline.ts'
import { limit } from '../platform/limit.ts'
import type { Track } from './memory.ts'
import { type PoolRun, problemOf, tell } from './run.ts'
import { callDeadlines } from './settings.ts'

const atOnce = 8
const retryAfter = 5_000

/** Drains are written down first: after a crash nobody else would know that they were ours. */
export function drain(run: PoolRun, tracks: Track[]): void {
  const ids = tracks.map(({ id }) => id)
  change(run, 'drain', tracks, async () => run.write({ at: run.now(), kind: 'draining', ids }))
}

export function undrain(run: PoolRun, tracks: Track[]): void {
  change(run, 'undrain', tracks, async () => {})
}

function change(run: PoolRun, move: 'drain' | 'undrain', tracks: Track[], before: () => Promise<void>): void {
  if (tracks.length === 0) return
  for (const track of tracks) track.busyWith = move
  run.background(async () => {
    try {
      await before()
      const inTurn = limit(atOnce)
      await Promise.all(tracks.map((track) => inTurn(() => ask(run, move, track))))
    } finally {
      for (const track of tracks) delete track.busyWith
    }
    const given = tracks.filter((track) => track.drainedAt === undefined).map(({ id }) => id)
    if (move === 'undrain' && given.length > 0)
      run.background(() => run.write({ at: run.now(), kind: 'undrained', ids: given }).catch(() => {}))
    run.changed()
  })
}

async function ask(run: PoolRun, move: 'drain' | 'undrain', track: Track): Promise<void> {
  const { demand, clock } = run.deps
  try {
    const known = await withDeadline(clock, callDeadlines.master, `a ${move}`, (signal) =>
      demand[move](track.id, signal),
    )
    // An agent the master does not know cannot be drained, and needs no undrain.
    if (move === 'undrain') delete track.drainedAt
    else if (known) track.drainedAt = run.now()
    else track.retryAt = run.now() + retryAfter
  } catch (error) {
    track.retryAt = run.now() + retryAfter
    tell(run, 'master', problemOf(error, 'INTERNAL', `the master could not be asked for a ${move}`))
  }
}
