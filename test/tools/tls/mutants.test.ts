// Thousands of certificates with changed bytes, some with a new signature: each is read completely, without an exception.
import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { afterAll, expect, test } from 'vitest'
import { parseTlsCredentials } from '../../../src/pki/credentials.ts'
import { preflight } from '../../../src/pki/preflight.ts'
import { describe as describeCertificate, presentedFacts, unusableForGo } from '../../../src/pki/presented.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { answerInfo, embed, Masters } from '../../support/masters.ts'
import { testKey } from '../../support/test-keys.ts'
import { issue, now, pemOf } from '../../support/x509.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const masters = new Masters()
afterAll(() => masters.close())
const root = authority('Root')
const leaf = server(root)

/** Numbers from a seed (mulberry32), so that a failure can be reproduced. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function flipped(der: Buffer, next: (below: number) => number): Buffer {
  const bytes = Buffer.from(der)
  for (let edits = 1 + next(3); edits > 0; edits--) bytes[next(bytes.length)] = next(256)
  return bytes
}

/** Invalid parts in a certificate with a valid signature. */
function signedMutant(next: (below: number) => number): Buffer {
  const part = (length: number) => Buffer.from(Array.from({ length }, () => next(256)))
  const element = (der: Buffer) => flipped(der, next)
  const kinds = [
    () => issue({ issuer: root, serial: part(1 + next(20)) }),
    () => issue({ issuer: root, subject: element(leaf.subject) }),
    () => issue({ issuer: root, issuerName: element(root.subject) }),
    () => issue({ issuer: root, spki: element(testKey(next(2) ? 'p256' : 'rsa2048').spki) }),
    () => issue({ issuer: root, validity: element(validity) }),
    () => issue({ issuer: root, extensions: [part(1 + next(40))] }),
  ]
  return kinds[next(kinds.length)]!().der
}
const validity = Buffer.from(
  `301e170d${Buffer.from('250101000000Z').toString('hex')}170d${Buffer.from('300101000000Z').toString('hex')}`,
  'hex',
)

const bases = [
  leaf.der,
  root.der,
  server(root, { key: testKey('rsa2048') }).der,
  server(root, { key: testKey('ed25519') }).der,
]

test('6,000 mutants give facts or a fault', () => {
  const next = numbers(4711)
  let readable = 0
  let undated = 0
  for (let n = 0; n < 6_000; n++) {
    const der = n % 3 === 0 ? signedMutant(next) : flipped(bases[n % bases.length]!, next)
    const { material, problems } = parseTlsCredentials(pemOf(der) + root.pem, undefined, { now })
    expect(material !== undefined || problems.length > 0, `mutant ${n}`).toBe(true)
    const x509 = read(der)
    if (!x509) continue
    readable++
    const facts = presentedFacts(x509)
    if (describeCertificate(facts).includes('unreadable date')) undated++
    if ([facts.notBefore, facts.notAfter].includes('an unreadable date'))
      expect(unusableForGo([x509]), `mutant ${n}`).not.toEqual([])
  }
  expect(readable).toBeGreaterThan(1500)
  expect(undated).toBeGreaterThan(2)
})

test('200 mutants beside a valid chain, presented by a real server, always give a verdict', async () => {
  const next = numbers(20_261_128)
  const trust = embed('master.example.com', ['root', root.pem])
  const verdicts = new Map<string, number>()
  for (let n = 0; n < 200; ) {
    const der = n % 2 ? signedMutant(next) : flipped(bases[n % bases.length]!, next)
    if (!read(der)) continue
    const cert = leaf.pem + root.pem + pemOf(der)
    // OpenSSL servers cannot present some of them.
    if (!isServable(cert)) continue
    n++
    const port = await masters.secure({ cert, key: leaf.key.pem }, answerInfo())
    const address = { scheme: 'https', host: '127.0.0.1', port } as const
    const { verdict } = await preflight({ address, plan: trust, timeoutMs: 20_000, clock: systemClock })
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
    await masters.close()
  }
  expect((verdicts.get('ok') ?? 0) + (verdicts.get('wrong') ?? 0)).toBe(200)
})

function isServable(cert: string): boolean {
  try {
    createSecureContext({ cert, key: leaf.key.pem })
    return true
  } catch {
    return false
  }
}

function read(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der)
  } catch {
    return undefined
  }
}
