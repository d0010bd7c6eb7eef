import { describe, expect, it } from 'vitest'
import { limit, pace } from '../../../src/platform/limit.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('a limit', () => {
  it('never runs more tasks at once than it allows, and runs them all in order', async () => {
    const limited = limit(2)
    const started: number[] = []
    let running = 0
    let most = 0
    await Promise.all(
      [0, 1, 2, 3, 4].map((n) =>
        limited(async () => {
          started.push(n)
          most = Math.max(most, ++running)
          await turn()
          running--
        }),
      ),
    )
    expect(most).toBe(2)
    expect(started).toEqual([0, 1, 2, 3, 4])
  })

  it('continues after a task that failed', async () => {
    const lock = limit(1)
    const failed = lock(async () => {
      throw new Error('broken')
    })
    const next = lock(async () => 'done')
    await expect(failed).rejects.toThrow('broken')
    await expect(next).resolves.toBe('done')
  })

  it('starts no new task while a slot is passed on', async () => {
    const lock = limit(1)
    const order: string[] = []
    const first = lock(turn).then(() => lock(async () => order.push('newcomer')))
    const second = lock(async () => order.push('waiting'))
    await Promise.all([first, second])
    expect(order).toEqual(['waiting', 'newcomer'])
  })
})

describe('a pace', () => {
  /** Times of `count` calls that all ask at once, in milliseconds from the start. */
  async function timesOf(count: number, waitFor: number, rate = { perSecond: 10, burst: 5 }) {
    const clock = new FakeClock()
    const start = clock.now()
    const steady = pace(clock, rate)
    const times: number[] = []
    const all = Array.from({ length: count }, () => steady.next().then(() => times.push(clock.now() - start)))
    await clock.advance(waitFor)
    return { clock, steady, times, all, start }
  }

  it('lets a burst pass at once, and the others at the rate', async () => {
    const { times } = await timesOf(10, 10_000)
    expect(times).toEqual([0, 0, 0, 0, 0, 100, 200, 300, 400, 500])
  })

  it('never sends more than burst and rate allow, in any minute', async () => {
    const { times } = await timesOf(2000, 200_000)
    expect(times).toHaveLength(2000)
    for (const [n, from] of times.entries())
      expect(times.slice(n).filter((at) => at < from + 60_000).length).toBeLessThanOrEqual(605)
  })

  it('fills up again while nothing is sent, but not beyond the burst', async () => {
    const { clock, steady, times, start } = await timesOf(5, 60_000)
    for (let n = 0; n < 7; n++) void steady.next().then(() => times.push(clock.now() - start))
    await clock.advance(1000)
    expect(times.slice(5)).toEqual([60_000, 60_000, 60_000, 60_000, 60_000, 60_100, 60_200])
  })

  it('sends nothing during a pause, and no burst after it', async () => {
    const { clock, steady, times, start } = await timesOf(1, 0)
    steady.pause(3000)
    for (let n = 0; n < 3; n++) void steady.next().then(() => times.push(clock.now() - start))
    await clock.advance(10_000)
    expect(times).toEqual([0, 3000, 3100, 3200])
  })

  it('gives no turn to a call that is not wanted any more when it comes', async () => {
    const { clock, steady, times, start } = await timesOf(5, 0)
    const late = Array.from({ length: 100 }, () => steady.nextIf(() => clock.now() < start + 100))
    void steady.next().then(() => times.push(clock.now() - start))
    await clock.advance(1000)
    expect(times[5]).toBe(100)
    expect(await Promise.all(late)).toEqual(Array(100).fill(false))
  })

  it('is not blocked by a caller that gives up', async () => {
    const { clock, steady, times, start } = await timesOf(5, 0)
    const call = new AbortController()
    const given = steady.next(call.signal)
    void steady.next().then(() => times.push(clock.now() - start))
    await clock.advance(50)
    call.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    await clock.advance(1000)
    expect(times[5]).toBe(100)
  })
})
