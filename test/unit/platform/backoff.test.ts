// How delays grow after failures, and how a call is retried.
import { describe, expect, it } from 'vitest'
import { delayAfter, type RetryOptions, retry } from '../../../src/platform/backoff.ts'

describe('the delay after failures', () => {
  it('doubles from the first on, up to the most', () => {
    const growth = { first: 1_000, most: 30_000 }
    const waits = [1, 2, 3, 4, 5, 6, 7, 2_000].map((n) => delayAfter(n, growth))
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  })

  it('grows by the given factor', () => {
    expect([1, 2, 3].map((n) => delayAfter(n, { first: 100, most: 5_000, factor: 4 }))).toEqual([
      100, 400, 1_600,
    ])
  })

  it('adds up to a quarter of jitter, also to the longest delay', () => {
    const growth = { first: 1_000, most: 2_000 }
    expect([0, 0.5, 0.999].map((r) => delayAfter(1, growth, () => r))).toEqual([1_000, 1_125, 1_250])
    expect(delayAfter(9, growth, () => 0.5)).toBe(2_250)
  })
})

describe('a retried call', () => {
  /** Fails as given, then answers; records delays without waiting. */
  function trial(failures: string[], more: Partial<RetryOptions> = {}) {
    const waits: number[] = []
    const left = [...failures]
    const options: RetryOptions = {
      tries: 3,
      pauses: { first: 1_000, most: 8_000 },
      isRetryable: (error) => error instanceof Error && error.message === 'busy',
      clock: { now: () => 0, sleep: async (ms) => void waits.push(ms) },
      ...more,
    }
    let calls = 0
    const call = async () => {
      calls++
      const failure = left.shift()
      if (failure) throw new Error(failure)
      return 'answer'
    }
    return { answer: retry(call, options), waits, calls: () => calls }
  }

  it('is made once when it succeeds', async () => {
    const { answer, waits, calls } = trial([])
    await expect(answer).resolves.toBe('answer')
    expect([calls(), waits]).toEqual([1, []])
  })

  it('waits longer each time, and returns the answer of a later try', async () => {
    const { answer, waits } = trial(['busy', 'busy'])
    await expect(answer).resolves.toBe('answer')
    expect(waits).toEqual([1_000, 2_000])
  })

  it('rejects with the last error after the last try, without another delay', async () => {
    const { answer, waits, calls } = trial(['busy', 'busy', 'busy'])
    await expect(answer).rejects.toThrow('busy')
    expect([calls(), waits]).toEqual([3, [1_000, 2_000]])
  })

  it('is not retried after a permanent error', async () => {
    const { answer, waits, calls } = trial(['busy', 'refused'])
    await expect(answer).rejects.toThrow('refused')
    expect([calls(), waits]).toEqual([2, [1_000]])
  })

  it('waits as long as the failed call requires, and never less than its own delay', async () => {
    const required = [5_000, 500]
    const { answer, waits } = trial(['busy', 'busy'], { requestedPause: () => required.shift() })
    await answer
    expect(waits).toEqual([5_000, 2_000])
  })

  it('rejects with the reason of an aborted signal, and is not retried', async () => {
    const stop = new AbortController()
    let calls = 0
    const call = async () => {
      calls++
      stop.abort(new Error('stopped'))
      throw new Error('busy')
    }
    const clock = { now: () => 0, sleep: async () => {} }
    const options = { tries: 3, pauses: { first: 1, most: 1 }, isRetryable: () => true, clock }
    await expect(retry(call, { ...options, signal: stop.signal })).rejects.toThrow('stopped')
    expect(calls).toBe(1)
  })
})
