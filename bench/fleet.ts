// The cost of the loop around the planner: the time from a change of demand to the launch call. Its memory is part of the
// daemon's (daemon.ts).

import type { StoredJournal } from '../src/state/store.ts'
import { startBenchPool } from './fleet-pool.ts'
import { median, type Report } from './measure.ts'

const runs = 40

/** Milliseconds from the demand update to the launch call, including the write of the intent. */
export async function reactions(journal?: StoredJournal): Promise<number[]> {
  let called = Promise.withResolvers<void>()
  const pool = await startBenchPool(() => called.resolve(), journal)
  // A missing journal is settled by the first listing, if listings are always complete.
  await new Promise((resolve) => setTimeout(resolve, 200))
  const times: number[] = []
  for (let run = 0; run < runs; run++) {
    called = Promise.withResolvers()
    pool.demand.pending = [...pool.demand.pending, { id: `work-${run}`, slots: 8, since: Date.now() }]
    const from = performance.now()
    pool.change()
    await called.promise
    times.push(performance.now() - from)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await pool.close()
  return times
}

export async function fleetCosts(): Promise<Report> {
  const times = await reactions()
  const worst = Math.max(...times)
  return {
    title: 'Fleet',
    command: 'npm run bench fleet',
    rows: [
      {
        what: 'change of demand → launch call',
        measured: `${median(times).toFixed(1)} ms, at worst ${worst.toFixed(1)} ms`,
        budget: '50 ms',
        met: worst <= 50,
      },
    ],
    notes: [
      `The pool's own loop with the real clock and a journal on the disk (fsync before the call), ${runs} changes one after the other, on a cloud and a master that answer at once.`,
    ],
  }
}
