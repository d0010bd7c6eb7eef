// A rate: how many tasks begin at once, and how far apart the others.
import { describe, expect, it } from 'vitest'
import { paced } from '../../../src/platform/limit.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function startsOf(clock: FakeClock, turn: (signal?: AbortSignal) => Promise<void>, count: number) {
  const from = clock.now()
  const starts: number[] = []
  for (let n = 0; n < count; n++) void turn().then(() => starts.push(clock.now() - from))
  return starts
}

describe('a rate', () => {
  it('lets a burst begin at once, and the others at the rate, in order', async () => {
    const clock = new FakeClock()
    const starts = startsOf(clock, paced({ burst: 5, perSecond: 2 }, clock), 9)
    await clock.advance(10_000)
    expect(starts).toEqual([0, 0, 0, 0, 0, 500, 1000, 1500, 2000])
  })

  it('allows another burst after a rest, but not more than one', async () => {
    const clock = new FakeClock()
    const turn = paced({ burst: 3, perSecond: 1 }, clock)
    startsOf(clock, turn, 3)
    await clock.advance(1_000)
    const soon = startsOf(clock, turn, 2)
    await clock.advance(3_600_000)
    expect(soon).toEqual([0, 1_000])
    const later = startsOf(clock, turn, 5)
    await clock.advance(10_000)
    expect(later).toEqual([0, 0, 0, 1_000, 2_000])
  })

  it('gives up waiting when it is aborted', async () => {
    const clock = new FakeClock()
    const turn = paced({ burst: 1, perSecond: 1 }, clock)
    await turn()
    const abort = new AbortController()
    const waiting = turn(abort.signal)
    abort.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
  })
})
