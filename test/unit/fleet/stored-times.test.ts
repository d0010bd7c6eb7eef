// The clock of the machine is set between two processes: stored times keep their meaning.
import { describe, expect, it } from 'vitest'
import { emptyMemory, type PoolMemory } from '../../../src/fleet/memory.ts'
import { checkpointOf } from '../../../src/fleet/records.ts'
import { recallNow } from '../../../src/fleet/stored-times.ts'
import type { BootMark, JournalRecord } from '../../../src/platform/ports.ts'
import { fullMemory } from '../../support/full-memory.ts'
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

/** Everything in the memory that is a time, by its path. */
function timesIn(value: unknown, path = ''): [path: string, time: number][] {
  if (typeof value === 'number') return value > now - 1000 * hour ? [[path, value]] : []
  if (value instanceof Map) return [...value].flatMap(([key, one]) => timesIn(one, `${path}.${key}`))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, one]) => timesIn(one, `${path}.${key}`))
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

  it.each([3 * hour, -3 * hour])(
    'all mean the same in the same boot, when the clock was off by %d ms',
    (off) => {
      const written = (at: number) =>
        JSON.parse(JSON.stringify(checkpointOf(fullMemory(at), at, { mark: boot })))
      const memory = recallNow(written(now + off), now + minute, later)
      expect(memory).toEqual(recallNow(written(now), now + minute, later))
      expect(timesIn(memory).length).toBeGreaterThan(15)
    },
  )

  it('of pauses are not shortened, however long they are, when the clock was not set', () => {
    const full = fullMemory(now)
    const memory = recallNow(JSON.parse(JSON.stringify(checkpointOf(full, now, { mark: boot }))), now, boot)
    const pauses = (of: PoolMemory) =>
      timesIn(of).filter(([name]) => /until|readyAt|tracks\..*retryAt/.test(name))
    expect(pauses(memory).sort()).toEqual(pauses(full).sort())
    expect(pauses(memory)).toHaveLength(6)
  })

  it('are all clamped, those in the past to now and those of a pause to its longest', () => {
    const at = now + 3 * hour
    const memory = recallNow(JSON.parse(JSON.stringify(checkpointOf(fullMemory(at), at))), now, boot)
    for (const [name, time] of timesIn(memory))
      expect(time, name).toBeLessThanOrEqual(/until|retryAt|readyAt/.test(name) ? now + 75 * minute : now)
  })

  it('of a version that wrote no mark are clamped, too', () => {
    const memory = recallNow(waiting(now + 3 * hour), now, boot)
    expect(memory.breaker.until).toBeLessThanOrEqual(now + longestPause)
  })
})
