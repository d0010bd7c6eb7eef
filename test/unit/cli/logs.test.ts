// Following the decision log: each event once, none omitted, nothing older than requested.
import { describe, expect, it } from 'vitest'
import { followEvents } from '../../../src/cli/logs.ts'

const event = (at: number, kind = 'joined') => ({ at, kind })
/** The response of an endpoint. */
const asked = (all: ReturnType<typeof event>[], since: number) => all.filter(({ at }) => at >= since)

describe('events that are followed', () => {
  it('are each returned once, also those of one millisecond', () => {
    const follower = followEvents()
    const all = [event(1), event(5, 'a')]
    expect(follower.take(asked(all, follower.since))).toEqual(all)
    all.push(event(5, 'b'), event(5, 'c'), event(7))
    expect(follower.take(asked(all, follower.since))).toEqual([event(5, 'b'), event(5, 'c'), event(7)])
    expect(follower.take(asked(all, follower.since))).toEqual([])
    all.push(event(7, 'd'))
    expect(follower.take(asked(all, follower.since))).toEqual([event(7, 'd')])
  })

  it('start at the requested time, also when there were none yet', () => {
    const follower = followEvents(100)
    const all = [event(50)]
    expect(follower.take(asked(all, follower.since))).toEqual([])
    expect(follower.since).toBe(100)
    all.push(event(120))
    expect(follower.take(asked(all, follower.since))).toEqual([event(120)])
  })
})
