// A CA key in SoftHSM: certificates that OpenSSL verifies, and what the token answers to mistakes.
import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { watchTurns } from '../../../bench/measure.ts'
import { caInForce, issueTo } from '../../../src/join/issuer.ts'
import { tokenKeyOf } from '../../../src/join/pkcs11-key.ts'
import type { TokenKey } from '../../../src/join/pkcs11-tool.ts'
import { loadCertificateWriter, writeCertificate } from '../../../src/pki/certificate-writer.ts'

const module_ = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib64/softhsm/libsofthsm2.so'].find(existsSync)
const dir = mkdtempSync(join(tmpdir(), 'softhsm-'))
const at = (name: string) => join(dir, name)
const env = { PATH: process.env['PATH'], SOFTHSM2_CONF: at('softhsm2.conf') }
const key: TokenKey = {
  module: module_ ?? 'libsofthsm2.so',
  token: 'provision',
  label: 'agents-ca',
  pinFile: at('pin'),
  env,
}
const pin = '739153'
const run = (file: string, ...args: string[]) =>
  execFileSync(file, args, { cwd: dir, env: { ...env, TEST_PIN: pin }, stdio: 'pipe' }).toString()
const tool = (...args: string[]) =>
  run('pkcs11-tool', '--module', key.module, '--token-label', 'provision', ...args)
const login = ['--login', '--pin', 'env:TEST_PIN']

/** The CA certificate of the key with this label, signed by it. */
async function caOf(label: string): Promise<string> {
  tool('--read-object', '--type', 'pubkey', '--label', label, '-o', `${label}.der`)
  const publicKey = createPublicKey({ key: readFileSync(at(`${label}.der`)), format: 'der', type: 'spki' })
  const now = Date.now()
  return writeCertificate(
    {
      ...{ subject: [{ CN: [label] }], publicKey, use: { ca: 0 } },
      ...{ notBefore: now - 60_000, notAfter: now + 86_400_000 },
    },
    { own: tokenKeyOf({ ...key, label }, publicKey) },
  )
}

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const request = () => ({ id: 'i-1', publicKey, now: Date.now(), expiresAt: Date.now() + 3_600_000 })
const inForce = (of = key) => caInForce(undefined, { certificateFile: at('ca.pem'), key: of })
const refusal = async (of: TokenKey) => issueTo(await inForce(of), request()).catch((error: Error) => error)

beforeAll(async () => {
  if (!module_) throw new Error('SoftHSM is not installed; test:tools needs softhsm2 and opensc')
  mkdirSync(at('tokens'))
  writeFileSync(at('softhsm2.conf'), `directories.tokendir = ${at('tokens')}\nlog.level = ERROR\n`)
  writeFileSync(key.pinFile, `${pin}\n`, { mode: 0o600 })
  run('softhsm2-util', '--init-token', '--free', '--label', 'provision', '--pin', pin, '--so-pin', '5678')
  // The key is not the first one in the token.
  for (const [label, id] of [
    ['other', '01'],
    ['agents-ca', '02'],
  ] as const)
    tool(...login, '--keypairgen', '--key-type', 'EC:prime256v1', '--label', label, '--id', id)
  await loadCertificateWriter()
  writeFileSync(at('ca.pem'), await caOf('agents-ca'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('a CA key in SoftHSM', () => {
  it('signs its own certificate, and those of instances, as OpenSSL verifies', async () => {
    writeFileSync(at('agent.pem'), await issueTo(await inForce(), request()))
    const verified = run(
      ...(['openssl', 'verify', '-x509_strict', '-purpose', 'sslclient'] as const),
      ...(['-CAfile', 'ca.pem', 'agent.pem'] as const),
    )
    expect(verified).toBe('agent.pem: OK\n')
    expect(run('openssl', 'verify', '-x509_strict', '-CAfile', 'ca.pem', 'ca.pem')).toBe('ca.pem: OK\n')
  })

  it('signs a hundred at once, one after the other', async () => {
    const force = await inForce()
    const turns = watchTurns()
    const start = performance.now()
    const made = await Promise.all(Array.from({ length: 100 }, () => issueTo(force, request())))
    const seconds = (performance.now() - start) / 1000
    const { worst, p99 } = turns.end()
    console.log(
      `100 certificates by SoftHSM: ${(100 / seconds).toFixed(0)} a second; event loop worst ${worst.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
    )
    expect(new Set(made).size).toBe(100)
    expect(worst).toBeLessThan(50)
  })

  it('is refused by the name of another key, with the certificate of this one', async () => {
    expect(await refusal({ ...key, label: 'other' })).toMatchObject({
      code: 'AGENTS_CA_TOKEN',
      message: expect.stringContaining('key "other" in token provision is not that of the first certificate'),
    })
  })

  it.each<[string, Partial<TokenKey>, RegExp]>([
    ['an unknown key', { label: 'none' }, /there is no private key "none" in token provision/],
    ['an unknown token', { token: 'none' }, /there is no token "none"/],
    ['a file that is no module', { module: key.pinFile }, /cannot be loaded as a PKCS #11 module/],
    ['a missing module', { module: at('none.so') }, /module not found/],
  ])('%s is named', async (_, change, message) => {
    const error = await refusal({ ...key, ...change }).catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ code: 'AGENTS_CA_TOKEN', message: expect.stringMatching(message) })
  })

  it('a wrong PIN is named, and does not lock the token', async () => {
    writeFileSync(at('wrong'), '0000\n')
    expect(await refusal({ ...key, pinFile: at('wrong') })).toMatchObject({
      code: 'AGENTS_CA_TOKEN',
      message: expect.stringMatching(/the PIN in .*wrong was refused by the token/),
    })
    // The token is not locked: the right one is accepted.
    expect(await refusal(key)).toMatch(/^-----BEGIN CERTIFICATE/)
  })
})
