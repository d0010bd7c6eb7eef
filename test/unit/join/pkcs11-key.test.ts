// A CA key in a PKCS #11 token: what the program is asked, what it is not told, and what each of its failures is called.
import { createPublicKey, verify, X509Certificate } from 'node:crypto'
import { rmSync, utimesSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { issueTo } from '../../../src/join/issuer.ts'
import { tokenKeyOf } from '../../../src/join/pkcs11-key.ts'
import { tokenTool } from '../../../src/join/pkcs11-tool.ts'
import type { CaKey } from '../../../src/pki/index.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'
import { FakeToken, pin, type Token } from '../../support/fake-token.ts'
import { testKey } from '../../support/test-keys.ts'
import { authority } from '../../support/x509-profiles.ts'

const own = testKey('p256', 'in a token')
const other = testKey('p256', 'another in a token')
const publicKey = createPublicKey(own.privateKey)
const bytes = Buffer.from('what a certificate says')
let token: FakeToken
let key: CaKey
beforeEach(() => {
  token = new FakeToken(own)
  key = tokenKeyOf(token.key, publicKey)
})
afterEach(() => token.close())

const tokenWith = (more: Partial<Token>) =>
  token.is({ pin, keys: [{ label: 'agents-ca', id: '01', pem: own.pem }], ...more })

async function failure(of = key): Promise<ProvisionError> {
  const error = await of.sign(bytes).then(
    () => undefined,
    (thrown: unknown) => thrown as ProvisionError,
  )
  expect(error?.code).toBe('AGENTS_CA_TOKEN')
  expect(error!.problems[0]!.remedy).toBeTruthy()
  expect(JSON.stringify(error!.problems)).not.toContain(pin)
  return error!
}

describe('a key in a token', () => {
  it('signs, and the program gets the PIN in its environment alone', async () => {
    for (let n = 0; n < 2; n++) {
      const signature = await key.sign(bytes)
      expect(verify('sha256', bytes, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true)
    }
    const calls = token.calls()
    const what = ['--list-objects', '--sign', '--sign']
    expect(calls.map(({ args }) => args.find((one) => what.includes(one)))).toEqual(what)
    for (const { args, pin: given } of calls) {
      expect(given).toBe(pin)
      expect(args.join(' ')).not.toContain(pin)
    }
  })

  it('is chosen by its id: the first one in the token may be another', async () => {
    tokenWith({
      keys: [
        { label: 'other', id: '07', pem: other.pem },
        { label: 'agents-ca', id: '0a', pem: own.pem },
      ],
    })
    await key.sign(bytes)
    expect(token.calls().at(-1)!.args).toContain('0a')
    // It has another id from now on.
    tokenWith({ keys: [{ label: 'agents-ca', id: '0b', pem: own.pem }] })
    expect((await failure()).message).toMatch(/Private key not found/)
    await key.sign(bytes)
  })

  it('issues certificates one after the other, that its CA certificate verifies', async () => {
    const ca = authority('In a token', { key: own })
    const issuing = { certificate: ca.pem, key, id: 'x', notAfter: Date.now() + 1e9 }
    const force = { version: '', issuing, trusted: [], roles: [], bundle: '' }
    const request = { id: 'i-1', publicKey, now: Date.now(), expiresAt: Date.now() + 1e8 }
    const made = await Promise.all([1, 2, 3].map(() => issueTo(force, request)))
    for (const pem of made) expect(new X509Certificate(pem).verify(publicKey)).toBe(true)
  })

  it('must be on P-256', () => {
    for (const kind of ['p384', 'rsa2048', 'ed25519'] as const)
      expect(() => tokenKeyOf(token.key, createPublicKey(testKey(kind).privateKey))).toThrow(
        /AGENTS_CA_TOKEN: .*not an ECDSA key on P-256/,
      )
  })
})

describe('what fails says why:', () => {
  const keys = (...all: [string, string | undefined][]) => ({
    keys: all.map(([label, id]) => ({ label, ...(id !== undefined && { id }), pem: own.pem })),
  })
  it.each<[string, Partial<Token>, RegExp]>([
    ['no key of this name', keys(['other', '01']), /no private key "agents-ca" in token provision/],
    ['two of this name', keys(['agents-ca', '01'], ['agents-ca', '02']), /there are 2 private keys/],
    ['a key without an id', keys(['agents-ca', undefined]), /has no id/],
    ['another key', { keys: [{ label: 'agents-ca', id: '01', pem: other.pem }] }, /is not that of the first/],
    ['a locked PIN', { locked: true }, /PIN of token provision is locked/],
    ['a module that cannot be loaded', { does: 'not load' }, /cannot be loaded as a PKCS #11 module: /],
    ['a broken device', { does: 'fail' }, /pkcs11-tool failed: error: .*CKR_DEVICE_ERROR/],
    ['output that is no signature', { does: 'short' }, /printed 12 bytes in place of a signature/],
  ])('%s', async (_, state, message) => {
    tokenWith(state)
    expect((await failure()).message).toMatch(message)
    tokenWith({})
    expect(await key.sign(bytes)).toHaveLength(64)
  })

  it('no such token', async () => {
    const missing = tokenKeyOf({ ...token.key, token: 'none' }, publicKey)
    expect((await failure(missing)).message).toMatch(/there is no token "none" for .*module\.so/)
  })

  it('no module, no file of the PIN, an empty one', async () => {
    rmSync(token.key.pinFile)
    expect((await failure()).message).toMatch(/pin cannot be read: ENOENT/)
    writeFileSync(token.key.pinFile, '\n1234')
    expect((await failure()).message).toMatch(/has no PIN in its first line/)
    rmSync(token.key.module)
    expect((await failure()).message).toBe(`AGENTS_CA_TOKEN: module not found: ${token.key.module}`)
    expect(token.calls()).toEqual([])
  })

  it('no program', async () => {
    const error = await failure(tokenKeyOf({ ...token.key, env: { PATH: '/nowhere' } }, publicKey))
    expect([error.message, error.problems[0]!.remedy]).toEqual([
      'AGENTS_CA_TOKEN: pkcs11-tool is not installed',
      'Install OpenSC: `apt-get install opensc`.',
    ])
  })
})

describe('a wrong PIN', () => {
  it('is tried once, so that the token is not locked, and a corrected one at once', async () => {
    writeFileSync(token.key.pinFile, 'wrong\n')
    expect((await failure()).message).toMatch(/the PIN in .*pin was refused by the token/)
    for (let n = 0; n < 5; n++) expect((await failure()).message).toMatch(/refused before, and is not tried/)
    expect(token.calls()).toHaveLength(1)
    writeFileSync(token.key.pinFile, pin)
    expect(await key.sign(bytes)).toHaveLength(64)
  })

  it('is tried again when its file is written: the token may have another PIN by now', async () => {
    tokenWith({ pin: 'earlier' })
    await failure()
    tokenWith({})
    await failure()
    expect(token.calls()).toHaveLength(1)
    const later = new Date(Date.now() + 5_000)
    utimesSync(token.key.pinFile, later, later)
    expect(await key.sign(bytes)).toHaveLength(64)
  })
})

describe('a program that does not end', () => {
  it.each(['hang', 'leave'] as const)('is not waited for, nor asked again for a while: %s', async (does) => {
    key = tokenKeyOf(token.key, publicKey, tokenTool(token.key, { call: 700, pause: 1_500 }))
    tokenWith({ does })
    const start = performance.now()
    expect((await failure()).message).toMatch(/token provision has not answered within 0\.7 s/)
    const took = performance.now() - start
    expect(took).toBeGreaterThan(690)
    expect(took).toBeLessThan(2_500)
    const asked = token.calls().length
    await failure()
    expect(token.calls()).toHaveLength(asked)
    tokenWith({})
    await expect.poll(() => key.sign(bytes).catch(() => 'not yet'), { interval: 200 }).toHaveLength(64)
  })
})
