// The last check before something is changed, and how its error is found again.
import { describe, expect, it } from 'vitest'
import { retry } from '../../../src/platform/backoff.ts'
import { checkMayAct, notSentIn } from '../../../src/platform/may-act.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const thrown = (mayAct?: () => boolean): unknown => {
  try {
    checkMayAct(mayAct, 'a request')
  } catch (error) {
    return error
  }
}

describe('checkMayAct', () => {
  it('throws only when it is told that this process may not act', () => {
    expect([thrown(), thrown(() => true)]).toEqual([undefined, undefined])
    expect(thrown(() => false)).toMatchObject({
      code: 'STATE_RIGHT_LOST',
      message: expect.stringContaining('a request was not sent'),
    })
  })
})

describe('notSentIn', () => {
  it('finds its error, also inside that of a library, and no other', () => {
    const own = thrown(() => false)
    expect(notSentIn(own)).toBe(own)
    expect(notSentIn(new Error('wrapped', { cause: new Error('twice', { cause: own }) }))).toBe(own)
    const others = [undefined, 'text', new Error('x'), new ProvisionError(problem('PROVIDER_AUTH', 'x'))]
    expect(others.map(notSentIn)).toEqual(others.map(() => undefined))
  })
})

it('retry does not repeat what must not be sent, whatever the caller takes for retryable', async () => {
  let calls = 0
  const call = async () => {
    calls++
    checkMayAct(() => false, 'a request')
  }
  const policy = { tries: 5, pauses: { first: 1, most: 1 }, isRetryable: () => true, clock: new FakeClock(0) }
  await expect(retry(call, policy)).rejects.toThrow('STATE_RIGHT_LOST')
  expect(calls).toBe(1)
})
