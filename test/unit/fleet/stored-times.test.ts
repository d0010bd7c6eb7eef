// The clock of the machine is set between two processes: stored times keep their meaning.
import { describe, expect, it } from 'vitest'
import { checkpointOf } from '../../../src/fleet/records.ts'
import { emptyMemory } from '../../../src/fleet/run.ts'
import { recallNow } from '../../../src/fleet/stored-times.ts'
import type { BootMark, JournalRecord } from '../../../src/platform/ports.ts'
import { hour, minute, now, second, vm } from '../../support/planner.ts'

const longestPause = 37.5 * minute

/** A pool that waits for several things at `at`. */
function waiting(at: number, mark?: BootMark): JournalRecord[] {
  const memory = emptyMemory()
  const track = vm('i1', { knownSince: at - minute, launchedAt: at, drainedAt: at })
  memory.tracks.set('i1', { ...track, listed: true, joinedAt: at - second })
  memory.offerings.set('on_demand/m4/a', { class: 'capacity', failures: 4, until: at + 5 * minute })
  memory.breaker = { failures: 3, openings: 1, openedAt: at - minute, until: at + minute }
  memory.budget = { spent: 4, at }
  return JSON.parse(JSON.stringify(checkpointOf(memory, at, { mark })))
}

describe('stored times', () => {
  const boot = { boot: 'this one', uptime: 1000 * second }
  const later = { boot: 'this one', uptime: 1060 * second }

  it.each([3 * hour, -3 * hour, 0])(
    'mean the same in the same boot, when the clock was off by %d ms',
    (off) => {
      const memory = recallNow(waiting(now + off, boot), now + minute, later)
      expect(memory.offerings.get('on_demand/m4/a')!.until).toBe(now + 5 * minute)
      expect(memory.breaker).toMatchObject({ openedAt: now - minute, until: now + minute })
      expect(memory.tracks.get('i1')).toMatchObject({ knownSince: now - minute, joinedAt: now - second })
      expect(memory.budget).toEqual({ spent: 4, at: now })
    },
  )

  it.each([undefined, { boot: 'another', uptime: 5 }])('are clamped without one (%j)', (mark) => {
    const memory = recallNow(waiting(now + 3 * hour, boot), now, mark)
    expect(memory.offerings.get('on_demand/m4/a')!.until).toBeLessThanOrEqual(now + longestPause)
    expect(memory.breaker.until).toBeLessThanOrEqual(now + longestPause)
    const { knownSince, joinedAt, drainedAt } = memory.tracks.get('i1')!
    for (const time of [knownSince, joinedAt!, drainedAt!, memory.budget.at, memory.breaker.openedAt])
      expect(time).toBeLessThanOrEqual(now)
  })

  it('of a version that wrote no mark are clamped, too', () => {
    const memory = recallNow(waiting(now + 3 * hour), now, boot)
    expect(memory.breaker.until).toBeLessThanOrEqual(now + longestPause)
  })
})
