// Independent checks of the proof `aws-identity-document`: OpenSSL signs documents, and verifies those of the tests as Amazon's
// guide does it (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-rsa2048.html).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { identityDocumentVerifier } from '../../../src/providers/aws/identity-document.ts'
import { joinRequest, messageOf, verdictOf } from '../../support/join-proofs/requests.ts'
import {
  documentFacts,
  regionCertificate,
  signedDocument,
} from '../../support/join-proofs/signed-documents.ts'
import { run } from '../tls/run.ts'

const folder = mkdtempSync(join(tmpdir(), 'identity-document-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = (name: string) => join(folder, name)
const launched = Date.parse(documentFacts.pendingTime)
const content = Buffer.from(JSON.stringify(documentFacts, undefined, 2))

beforeAll(async () => {
  writeFileSync(file('document'), content)
  writeFileSync(file('test.pem'), regionCertificate.pem)
  for (const [name, key] of [
    ['region', 'rsa:2048'],
    ['other', 'rsa:2048'],
    ['large', 'rsa:4096'],
    ['small', 'rsa:1024'],
  ] as const)
    await run('openssl', [
      ...['req', '-x509', '-newkey', key, '-nodes', '-days', '2', '-subj', '/C=US/O=Test/CN=region'],
      ...['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)],
    ])
})

/** A signature in DER or BER by OpenSSL's `cms`. */
async function signedBy(name: string, more: string[] = []): Promise<Buffer> {
  const out = file('signature')
  await run('openssl', [
    ...[
      'cms',
      '-sign',
      '-binary',
      '-nodetach',
      '-nocerts',
      '-nosmimecap',
      '-md',
      'sha256',
      '-outform',
      'DER',
    ],
    ...[
      '-in',
      file('document'),
      '-signer',
      file(`${name}.pem`),
      '-inkey',
      file(`${name}.key`),
      '-out',
      out,
      ...more,
    ],
  ])
  return readFileSync(out)
}

const asked = (signature: Buffer) =>
  joinRequest(
    {
      kind: 'aws-identity-document',
      document: content.toString('base64'),
      signature: signature.toString('base64'),
    },
    { id: documentFacts.instanceId, addresses: [documentFacts.privateIp] },
    { now: launched, address: documentFacts.privateIp },
  )
const place = async () => ({ region: documentFacts.region, account: documentFacts.accountId })
const verifierOf = (certificate: string) =>
  identityDocumentVerifier(place, { proof: 'required', identity_certificates: file(certificate) })

describe("OpenSSL's signatures", () => {
  it.each([
    ['in DER', 'region', []],
    ['in BER, of indefinite length', 'region', ['-stream']],
    ['with further signed attributes', 'region', ['-cades']],
    ['by a larger key', 'large', []],
  ])('%s are accepted', async (_, name, more) => {
    expect(await messageOf(verifierOf(`${name}.pem`), asked(await signedBy(name, more)))).toBe('accepted')
  })

  it('in BER are in another form than in DER', async () => {
    expect((await signedBy('region', ['-stream'])).subarray(0, 2)).toEqual(Buffer.from([0x30, 0x80]))
    expect((await signedBy('region')).subarray(0, 2)).toEqual(Buffer.from([0x30, 0x82]))
  })

  it.each([
    ['by another key of the same name', 'other', []],
    ['by a small key', 'small', []],
    ['with another digest', 'region', ['-md', 'sha512']],
    ['without signed attributes', 'region', ['-noattr']],
    ['with the key identifier', 'region', ['-keyid']],
    ['with RSA-PSS', 'region', ['-keyopt', 'rsa_padding_mode:pss']],
    ['of another content type', 'region', ['-econtent_type', '1.2.840.113549.1.9.16.1.4']],
  ])('%s are refused', async (_, name, more) => {
    const signature = await signedBy(name, more)
    expect(await verdictOf(verifierOf('region.pem'), asked(signature))).toBe('JOIN_PROOF_INVALID')
    if (name === 'small')
      expect(await verdictOf(verifierOf('small.pem'), asked(signature))).toBe('JOIN_PROOF_INVALID')
  })

  it('with any other bit are refused', async () => {
    const good = await signedBy('region', ['-stream'])
    const verifier = verifierOf('region.pem')
    for (let at = 0; at < good.length * 8; at += 7) {
      const mutant = Buffer.from(good)
      mutant[at >> 3]! ^= 1 << (at & 7)
      expect([at, await verdictOf(verifier, asked(mutant))]).toEqual([at, 'JOIN_PROOF_INVALID'])
    }
    expect((good.length * 8) / 7).toBeGreaterThan(300)
  })
})

describe("the tests' own signatures", () => {
  async function byOpenssl(signature: Buffer): Promise<Buffer | undefined> {
    const pem = `-----BEGIN PKCS7-----\n${signature.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END PKCS7-----\n`
    writeFileSync(file('rsa2048'), pem)
    const args = [
      'smime',
      '-verify',
      '-in',
      file('rsa2048'),
      '-inform',
      'PEM',
      '-certfile',
      file('test.pem'),
      '-noverify',
      '-out',
      file('read'),
    ]
    return run('openssl', args).then(
      () => readFileSync(file('read')),
      () => undefined,
    )
  }

  it.each([
    ['BER', {}],
    ['DER', { isDer: true }],
  ])('in %s are verified by OpenSSL with the command of the guide', async (_, spec) => {
    expect(await byOpenssl(signedDocument(content, spec))).toEqual(content)
  })

  it('of another digest are refused by OpenSSL', async () => {
    expect(await byOpenssl(signedDocument(content, { digest: Buffer.alloc(32) }))).toBeUndefined()
  })
})
