// Following the log of decisions: each event once, none left out, nothing older than was asked for.
import { describe, expect, it } from 'vitest'
import { followEvents } from '../../../src/cli/logs.ts'

const event = (at: number, kind = 'joined') => ({ at, kind })
/** What a door answers. */
const asked = (all: ReturnType<typeof event>[], since: number) => all.filter(({ at }) => at >= since)

describe('events that are followed', () => {
  it('are each told once, those of one millisecond too', () => {
    const follower = followEvents()
    const all = [event(1), event(5, 'a')]
    expect(follower.take(asked(all, follower.since))).toEqual(all)
    all.push(event(5, 'b'), event(5, 'c'), event(7))
    expect(follower.take(asked(all, follower.since))).toEqual([event(5, 'b'), event(5, 'c'), event(7)])
    expect(follower.take(asked(all, follower.since))).toEqual([])
    all.push(event(7, 'd'))
    expect(follower.take(asked(all, follower.since))).toEqual([event(7, 'd')])
  })

  it('begin where they were asked from, also when nothing was there yet', () => {
    const follower = followEvents(100)
    const all = [event(50)]
    expect(follower.take(asked(all, follower.since))).toEqual([])
    expect(follower.since).toBe(100)
    all.push(event(120))
    expect(follower.take(asked(all, follower.since))).toEqual([event(120)])
  })
})
