// Nonces: made by one provisioner, recognized by another with the same key, for a minute.
import { describe, expect, it } from 'vitest'
import { isFresh, makeNonce } from '../../../src/join/challenge.ts'

const key = Buffer.alloc(32, 1)
const now = Date.parse('2026-11-30T12:00:00.123Z')

describe('a nonce', () => {
  it('is valid for a minute, for everybody with the key', () => {
    const { nonce, expiresAt } = makeNonce(key, now)
    expect(expiresAt).toBe(now + 60_000)
    expect(nonce).toMatch(/^[A-Za-z0-9_-]{72}$/)
    for (const at of [0, 1, 59_999, 60_000]) expect(isFresh(nonce, Buffer.from(key), now + at)).toBe(true)
    expect(isFresh(nonce, key, now + 60_001)).toBe(false)
  })

  it('is valid where the clock is half a minute behind, and not further', () => {
    const { nonce } = makeNonce(key, now)
    expect([isFresh(nonce, key, now - 30_000), isFresh(nonce, key, now - 30_001)]).toEqual([true, false])
  })

  it('is another one each time', () => {
    expect(new Set(Array.from({ length: 100 }, () => makeNonce(key, now).nonce)).size).toBe(100)
  })

  it('of another key, or altered anywhere, is not valid', () => {
    const { nonce } = makeNonce(key, now)
    expect(isFresh(nonce, Buffer.alloc(32, 2), now)).toBe(false)
    for (let at = 0; at < nonce.length; at++)
      for (const letter of ['A', 'b', '-', '+', '=', '\n']) {
        const changed = nonce.slice(0, at) + letter + nonce.slice(at + 1)
        if (changed !== nonce) expect([changed, isFresh(changed, key, now)]).toEqual([changed, false])
      }
    for (const odd of ['', nonce.slice(1), `${nonce}A`, `${nonce}\n`, ` ${nonce}`, 'é'.repeat(72)])
      expect(isFresh(odd, key, now)).toBe(false)
  })
})
