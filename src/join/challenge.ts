// Nonces of joins: made without remembering anything, recognized by every provisioner that has the key. Each is for one key of an
// instance, so that a proof which carries the nonce is worth nothing with another key.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Milliseconds from the challenge to the join. */
export const nonceLifetime = 60_000
/** Milliseconds that the clock of the provisioner which made a nonce may be ahead of the one that reads it. */
const mostAhead = 30_000

const timeBytes = 6
const randomLength = 16
const macBytes = 32
/** Its length in base64url: a multiple of three bytes has no padding, and each text of it is other bytes. */
const pattern = new RegExp(`^[A-Za-z0-9_-]{${((timeBytes + randomLength + macBytes) / 3) * 4}}$`)

export interface Challenge {
  nonce: string
  /** Milliseconds since the epoch. */
  expiresAt: number
}

/**
 * @param key the `nonceKey` of the CA
 * @param agentKey whom it is for: SHA-256 of the SubjectPublicKeyInfo of the instance's key, hex in lower case
 * @param now the time of day in milliseconds
 */
export function makeNonce(key: Buffer, agentKey: string, now: number): Challenge {
  const time = Buffer.alloc(timeBytes)
  time.writeUIntBE(now, 0, timeBytes)
  const body = Buffer.concat([time, randomBytes(randomLength)])
  return {
    nonce: Buffer.concat([body, macOf(key, body, agentKey)]).toString('base64url'),
    expiresAt: now + nonceLifetime,
  }
}

/**
 * Whether a provisioner with this key made it for `agentKey` at most a minute ago. Whether it was used is for the store to know.
 * Parameters as those of `makeNonce`.
 */
export function isFresh(nonce: string, key: Buffer, agentKey: string, now: number): boolean {
  if (!pattern.test(nonce)) return false
  const bytes = Buffer.from(nonce, 'base64url')
  const body = bytes.subarray(0, timeBytes + randomLength)
  if (!timingSafeEqual(bytes.subarray(body.length), macOf(key, body, agentKey))) return false
  const age = now - body.readUIntBE(0, timeBytes)
  return age <= nonceLifetime && age >= -mostAhead
}

/** `body` has one length, so that no other pair of it and `agentKey` is the same bytes. */
function macOf(key: Buffer, body: Buffer, agentKey: string): Buffer {
  return createHmac('sha256', key).update('provision join nonce 2\0').update(body).update(agentKey).digest()
}
