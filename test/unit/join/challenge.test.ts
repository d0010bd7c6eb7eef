// Nonces: made by one provisioner, recognized by another with the same key, for a minute.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFresh, makeNonce } from '../../../src/join/challenge.ts'

const key = Buffer.alloc(32, 1)
const agent = 'ab'.repeat(32)
const now = Date.parse('2026-11-30T12:00:00.123Z')

describe('a nonce', () => {
  it('is valid for a minute, for everybody with the key', () => {
    const { nonce, expiresAt } = makeNonce(key, agent, now)
    expect(expiresAt).toBe(now + 60_000)
    expect(nonce).toMatch(/^[A-Za-z0-9_-]{72}$/)
    for (const at of [0, 1, 59_999, 60_000])
      expect(isFresh(nonce, Buffer.from(key), agent, now + at)).toBe(true)
    expect(isFresh(nonce, key, agent, now + 60_001)).toBe(false)
  })

  it('is valid where the clock is half a minute behind, and not further', () => {
    const { nonce } = makeNonce(key, agent, now)
    expect([isFresh(nonce, key, agent, now - 30_000), isFresh(nonce, key, agent, now - 30_001)]).toEqual([
      true,
      false,
    ])
  })

  it('is another one each time', () => {
    expect(new Set(Array.from({ length: 100 }, () => makeNonce(key, agent, now).nonce)).size).toBe(100)
  })

  it('of another key, or altered anywhere, is not valid', () => {
    const { nonce } = makeNonce(key, agent, now)
    expect(isFresh(nonce, Buffer.alloc(32, 2), agent, now)).toBe(false)
    for (let at = 0; at < nonce.length; at++)
      for (const letter of ['A', 'b', '-', '+', '=', '\n']) {
        const changed = nonce.slice(0, at) + letter + nonce.slice(at + 1)
        if (changed !== nonce) expect([changed, isFresh(changed, key, agent, now)]).toEqual([changed, false])
      }
    for (const odd of ['', nonce.slice(1), `${nonce}A`, `${nonce}\n`, ` ${nonce}`, 'é'.repeat(72)])
      expect(isFresh(odd, key, agent, now)).toBe(false)
  })

  it('is valid for the key of the instance that it was made for, and for no other', () => {
    const digest = fc.stringMatching(/^[0-9a-f]{64}$/)
    fc.assert(
      fc.property(digest, digest, fc.nat(60_000), (one, two, age) => {
        const { nonce } = makeNonce(key, one, now)
        expect(isFresh(nonce, key, one, now + age)).toBe(true)
        expect(isFresh(nonce, key, two, now + age)).toBe(one === two)
      }),
    )
    const { nonce } = makeNonce(key, agent, now)
    for (let at = 0; at < agent.length; at++) {
      const near = agent.slice(0, at) + (agent[at] === '0' ? '1' : '0') + agent.slice(at + 1)
      expect(isFresh(nonce, key, near, now)).toBe(false)
    }
    for (const odd of ['', agent.slice(1), `${agent}0`]) expect(isFresh(nonce, key, odd, now)).toBe(false)
  })
})
