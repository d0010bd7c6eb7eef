// The rules of keys: the first one keeps the instance, and what ends that.
import { describe, expect, it } from 'vitest'
import { type Asked, decideJoin, decideRenewal, type LaunchedInstance } from '../../../src/join/decide.ts'
import type { Binding } from '../../../src/state/join.ts'

const [own, other] = ['a'.repeat(64), 'b'.repeat(64)]
const now = 1_000_000
const instance: LaunchedInstance = {
  ...{ id: 'i-1', pool: 'gpu', addresses: [], launchedAt: 1, isAlive: true },
}
const binding: Binding = {
  ...{ instance: 'i-1', pool: 'gpu', key: own, issuer: 'c'.repeat(64) },
  ...{ boundAt: 100, expiresAt: now + 1 },
}
const asked = (more: Partial<Asked> = {}): Asked => ({ instance, binding, key: own, now, ...more })
const kept = { instance: 'i-1', pool: 'gpu', key: own, boundAt: 100 }
const fresh = (key: string) => ({ instance: 'i-1', pool: 'gpu', key, boundAt: now })

describe('a proof', () => {
  it('is the first: its key is bound', () => {
    expect(decideJoin(asked({ binding: undefined }))).toEqual({ outcome: 'issue', binding: fresh(own) })
  })

  it('with the same key gets a new certificate, also when the last one has expired', () => {
    for (const expiresAt of [now + 1, now, 5])
      expect(decideJoin(asked({ binding: { ...binding, expiresAt } }))).toEqual({
        outcome: 'issue',
        binding: kept,
      })
  })

  it('with another key is refused and noted once, and the first key keeps what it has', () => {
    expect(decideJoin(asked({ key: other }))).toEqual({
      outcome: 'refuse',
      code: 'JOIN_KEY_CHANGED',
      note: { ...binding, otherKeyAt: now },
    })
    expect(decideJoin(asked({ key: other, binding: { ...binding, otherKeyAt: 7 } }))).toEqual({
      outcome: 'refuse',
      code: 'JOIN_KEY_CHANGED',
    })
  })

  it('with the same key, after another key came, is good while the certificate is valid, not afterwards', () => {
    const contested = { ...binding, otherKeyAt: 300 }
    expect(decideJoin(asked({ binding: contested }))).toEqual({
      outcome: 'issue',
      binding: { ...kept, otherKeyAt: 300 },
    })
    for (const expiresAt of [now, now - 1])
      expect(decideJoin(asked({ binding: { ...contested, expiresAt } }))).toEqual({
        outcome: 'refuse',
        code: 'JOIN_KEY_CONTESTED',
      })
  })

  describe.each([['a person has allowed', { binding: { ...binding, reissueUntil: now + 1 } }]])(
    'that %s',
    (_, more) => {
      it('may bring another key, which is then the only one', () => {
        const asking = asked({ ...more, key: other })
        expect(decideJoin(asking)).toEqual({ outcome: 'issue', binding: fresh(other) })
      })

      it('may bring the same key, whatever was noted and has expired', () => {
        const asking = asked(more)
        const old = { ...asking.binding!, otherKeyAt: 300, expiresAt: 1 }
        expect(decideJoin({ ...asking, binding: old })).toEqual({ outcome: 'issue', binding: kept })
      })
    },
  )

  it('may not bring another key when that time is over', () => {
    const late = { ...binding, reissueUntil: now }
    expect(decideJoin(asked({ key: other, binding: late }))).toMatchObject({ code: 'JOIN_KEY_CHANGED' })
  })
})

describe('a renewal', () => {
  it('confirms the key, and leaves what is noted', () => {
    const noted = { ...binding, otherKeyAt: 300, reissueUntil: now + 9 }
    expect(decideRenewal(asked({ binding: noted }))).toEqual({
      outcome: 'issue',
      binding: { ...kept, otherKeyAt: 300, reissueUntil: now + 9 },
    })
  })

  it('by a certificate of an earlier key is refused, whatever is open', () => {
    const open = { ...binding, reissueUntil: now + 9 }
    expect(decideRenewal(asked({ key: other, binding: open }))).toEqual({
      outcome: 'refuse',
      code: 'JOIN_CERTIFICATE_INVALID',
    })
  })

  it('binds the key of the certificate when the binding was lost', () => {
    expect(decideRenewal(asked({ binding: undefined }))).toEqual({ outcome: 'issue', binding: fresh(own) })
  })
})
