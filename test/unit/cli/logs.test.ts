// Following the decision log: each event once, none omitted, nothing older than requested.
import { describe, expect, it } from 'vitest'
import { eventLine, followEvents } from '../../../src/cli/logs.ts'

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

describe('a line of the decision log', () => {
  it.each([
    [{ kind: 'blocked', reasons: [{ code: 'PAUSED' }] }, 'blocked: PAUSED'],
    [{ kind: 'blocked', reasons: [] }, 'no longer blocked'],
    [{ kind: 'terminated', ids: ['i-1', 'i-2'] }, 'terminated i-1, i-2'],
    // As earlier builds have written them.
    [{ kind: 'held', reasons: [] }, 'no longer blocked'],
    [{ kind: 'ended', ids: ['i-1'] }, 'terminated i-1'],
  ])('says what %j means', (event, words) => {
    expect(eventLine({ at: 0, ...event }, 'gpu')).toBe(`1970-01-01 00:00:00 UTC  gpu  ${words}`)
  })
})
