// How long a listing of many VMs takes, and how long it blocks the event loop.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Listing } from '../src/providers/contract.ts'
import { median, type Row } from './measure.ts'

const rounds = 5

export interface ListingBudget {
  words: string
  ms: number
  hold: number
}

/** Throws when `list` does not return `count` VMs, because an empty listing is fast. */
export async function measureListing(
  count: number,
  list: () => Promise<Listing>,
  budget?: ListingBudget,
): Promise<Row> {
  const times: number[] = []
  const holds: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const start = performance.now()
    const { instances } = await list()
    delay.disable()
    if (instances.length !== count) throw new Error(`listed ${instances.length} of ${count}`)
    // The first round only warms up the compiler.
    if (round === 0) continue
    times.push(performance.now() - start)
    holds.push(delay.max / 1e6)
  }
  const [ms, hold] = [median(times), median(holds)]
  return {
    what: `list ${count.toLocaleString('en-US')} VMs`,
    measured: `${Math.round(ms)} ms, event loop blocked for ${Math.round(hold)} ms at most`,
    budget: budget?.words ?? '',
    met: budget && ms <= budget.ms && hold <= budget.hold,
  }
}

/** The budget in the design. */
export const budgetOf10000: ListingBudget = { words: '5 s, never blocked for 50 ms', ms: 5000, hold: 50 }
