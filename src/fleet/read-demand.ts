// One question to the master, and what its answer changes.

import { withDeadline } from '../platform/deadline.ts'
import { recordUsable } from './breaker.ts'
import type { Track } from './memory.ts'
import { observeDemand } from './observe.ts'
import { type PoolRun, problemOf, tell } from './run.ts'
import { callDeadlines } from './settings.ts'

/** Throws nothing: what goes wrong is kept as the pool's problem. Tells whether there was an answer. */
export async function readDemand(run: PoolRun): Promise<boolean> {
  const { deps, memory } = run
  try {
    const demand = await withDeadline(deps.clock, callDeadlines.master, 'the master', (signal) =>
      deps.demand.read(deps.pool, signal),
    )
    const joined = observeDemand(memory, demand, run.now())
    memory.problems.delete('master')
    if (joined.length > 0) run.emit({ kind: 'joined', ids: joined.map(({ id }) => id) })
    for (const track of joined) welcome(run, track)
    return true
  } catch (error) {
    tell(run, 'master', problemOf(error, 'INTERNAL', 'the master could not be asked'))
    return false
  }
}

/** An agent that joined proves what it was launched with, and closes the breaker if it is what it promised to be. */
function welcome({ memory, deps }: PoolRun, track: Track): void {
  const { slots = 0 } = memory.agents.get(track.id) ?? {}
  const seconds = (track.joinedAt! - track.knownSince) / 1000
  deps.metrics.observe('join_seconds', seconds, { pool: deps.pool, stage: 'joined' })
  if (track.sha256) memory.proven.add(track.sha256)
  if (slots >= (track.slots ?? 0)) recordUsable(memory.breaker)
}
