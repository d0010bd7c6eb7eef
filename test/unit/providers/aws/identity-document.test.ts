// The proof `aws-identity-document`, with documents signed by certificates of the test, and with the published certificates.
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { aws } from '../../../../src/providers/aws/definition.ts'
import published from '../../../../src/providers/aws/identity-certificates.json' with { type: 'json' }
import { identityDocumentVerifier } from '../../../../src/providers/aws/identity-document.ts'
import type { ProofRequest } from '../../../../src/providers/join-proof.ts'
import { awsConfig } from '../../../support/cloud-pools.ts'
import { octets, oid, sequence, set } from '../../../support/der-writer.ts'
import {
  formMutants,
  joinContext,
  joinRequest,
  messageOf,
  verdictOf,
} from '../../../support/join-proofs/requests.ts'
import {
  documentFacts,
  regionCertificate,
  type SignatureSpec,
  signedDocument,
} from '../../../support/join-proofs/signed-documents.ts'
import { testKey } from '../../../support/test-keys.ts'
import { issue } from '../../../support/x509.ts'

const folder = mkdtempSync(join(tmpdir(), 'identity-certificates-'))
afterAll(() => rmSync(folder, { recursive: true }))

function certificateFile(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

const place = { region: documentFacts.region, account: documentFacts.accountId }
const launched = Date.parse(documentFacts.pendingTime)
const ofTest = certificateFile('test.pem', `# of the test\n${regionCertificate.pem}`)
const verifierWith = (file: string | undefined, where = place) =>
  identityDocumentVerifier(async () => where, {
    proof: 'required',
    ...(file !== undefined && { identity_certificates: file }),
  })
const verifier = verifierWith(ofTest)

const bytesOf = (facts: object = {}) =>
  Buffer.from(JSON.stringify({ ...documentFacts, ...facts }, undefined, 2))
function proofOf(content: Buffer = bytesOf(), spec: SignatureSpec = {}, signed = content) {
  return {
    kind: 'aws-identity-document',
    document: content.toString('base64'),
    signature: signedDocument(signed, spec).toString('base64'),
  }
}

function asked(proof: unknown, more: Partial<ProofRequest> = {}, instance = {}): ProofRequest {
  const { instanceId: id, privateIp, availabilityZone: zone } = documentFacts
  return joinRequest(
    proof,
    { id, addresses: [privateIp, '203.0.113.9'], zone, launchedAt: launched, ...instance },
    { now: launched + 60_000, address: privateIp, ...more },
  )
}

describe('a signed identity document', () => {
  it.each([
    ['in BER, as EC2 sends it', {}],
    ['in DER', { isDer: true }],
  ])('%s is accepted', async (_, spec) => {
    expect(await messageOf(verifier, asked(proofOf(bytesOf(), spec)))).toBe('accepted')
  })

  it('is accepted from any address that the listing gives the instance', async () => {
    for (const address of ['203.0.113.9', '::ffff:10.0.0.9'])
      expect(await messageOf(verifier, asked(proofOf(), { address }))).toBe('accepted')
  })

  it.each([
    ['after the first certificate', {}, { isFirstIssue: false }, 'JOIN_PROOF_INVALID'],
    ['more than five minutes after the launch', { now: launched + 301_000 }, {}, 'JOIN_PROOF_INVALID'],
    ['more than five minutes before the launch', { now: launched - 301_000 }, {}, 'JOIN_PROOF_INVALID'],
    ['from another address', { address: '10.0.0.10' }, {}, 'JOIN_PROOF_OTHER'],
    ['from an unknown address', { address: undefined }, {}, 'JOIN_PROOF_OTHER'],
    ['for an instance without addresses', {}, { addresses: [] }, 'JOIN_PROOF_OTHER'],
    [
      'for an instance whose address is another',
      { address: '203.0.113.9' },
      { addresses: ['203.0.113.9'] },
      'JOIN_PROOF_OTHER',
    ],
    ['for another instance', {}, { id: 'i-0123456789abcdef1' }, 'JOIN_PROOF_OTHER'],
    ['for another zone', {}, { zone: 'us-west-2b' }, 'JOIN_PROOF_OTHER'],
  ])('%s is refused', async (_, more, instance, verdict) => {
    expect(await verdictOf(verifier, asked(proofOf(), more as Partial<ProofRequest>, instance))).toBe(verdict)
  })

  it.each([
    ['another account', { accountId: '123456789013' }, 'JOIN_PROOF_OTHER'],
    ['another region', { region: 'us-west-1' }, 'JOIN_PROOF_OTHER'],
    ['another instance', { instanceId: 'i-0123456789abcdef1' }, 'JOIN_PROOF_OTHER'],
    ['an id of another type', { instanceId: ['i-0123456789abcdef0'] }, 'JOIN_PROOF_INVALID'],
    ['an account as a number', { accountId: 123456789012 }, 'JOIN_PROOF_INVALID'],
    ['no time', { pendingTime: null }, 'JOIN_PROOF_INVALID'],
    ['a time in another form', { pendingTime: new Date(launched).toString() }, 'JOIN_PROOF_INVALID'],
  ])('of %s is refused', async (_, facts, verdict) => {
    expect(await verdictOf(verifier, asked(proofOf(bytesOf(facts))))).toBe(verdict)
  })

  it.each(['', 'null', '[]', '"text"', '{', `${JSON.stringify(documentFacts)}x`])(
    'that is %j is refused',
    async (text) => {
      expect(await verdictOf(verifier, asked(proofOf(Buffer.from(text || ' '))))).toBe('JOIN_PROOF_INVALID')
    },
  )
})

describe('a signature', () => {
  const foreign = issue({
    key: testKey('rsa2048', 'foreign'),
    subject: 'region',
    serial: Buffer.from([0, 0xb6, 0x4b]),
  })
  const weak = issue({ key: testKey('rsa1024', 'weak'), subject: 'weak' })
  const curve = issue({ key: testKey('p256'), subject: 'curve' })
  const attribute = (value: string) => sequence(oid('1.2.840.113549.1.9.4'), set(octets(Buffer.from(value))))
  it.each([
    ['by another key of the same name', { certificate: foreign }],
    ['by another key, with the certificate inside', { certificate: foreign, embed: true }],
    ['with the right certificate inside', { embed: true }],
    ['by a key of 1024 bits', { certificate: weak }],
    ['by a curve', { certificate: curve }],
    ['with SHA-1', { hash: 'sha1' }],
    ['without signed attributes', { bare: true }],
    ['with unsigned attributes', { unsigned: true }],
    ['with something after the signers', { after: octets(Buffer.from('x')) }],
    ['that is there twice', { signers: 2 }],
    ['that is not there', { signers: 0 }],
    ['of another version', { version: 3 }],
    ['of another digest', { digest: Buffer.alloc(32) }],
    ['of a short digest', { digest: Buffer.alloc(0) }],
    ['with two digests', { more: [attribute('0'.repeat(32))] }],
    ['of something else than data', { contentType: '1.2.840.113549.1.9.16.1.4' }],
  ] as [string, SignatureSpec][])('%s is refused', async (_, spec) => {
    const others = verifierWith(certificateFile('others.pem', regionCertificate.pem + weak.pem + curve.pem))
    expect(await verdictOf(others, asked(proofOf(bytesOf(), spec)))).toBe('JOIN_PROOF_INVALID')
  })

  it('with two digests is refused, whichever is right', async () => {
    const right = sequence(
      oid('1.2.840.113549.1.9.4'),
      set(octets(createHash('sha256').update(bytesOf()).digest())),
    )
    for (const digest of [Buffer.alloc(32), undefined]) {
      const spec = { more: [right], ...(digest && { digest }) }
      expect(await verdictOf(verifier, asked(proofOf(bytesOf(), spec)))).toBe('JOIN_PROOF_INVALID')
    }
  })

  it('of another document is refused', async () => {
    const proof = proofOf(bytesOf(), {}, bytesOf({ instanceId: 'i-0123456789abcdef1' }))
    expect(await verdictOf(verifier, asked(proof))).toBe('JOIN_PROOF_INVALID')
  })

  it('over attributes that are sent as the document is refused', async () => {
    // Without signed attributes, the signature of the attributes would be one of a document with their bytes.
    const content = set(sequence(oid('1.2.840.113549.1.9.3'), set(oid('1.2.840.113549.1.7.1'))))
    expect(await verdictOf(verifier, asked(proofOf(content, { bare: true })))).toBe('JOIN_PROOF_INVALID')
  })

  it('with any other bit is refused', async () => {
    const good = proofOf()
    const bytes = Buffer.from(good.signature, 'base64')
    const verdicts = new Set<string>()
    for (let at = 0; at < bytes.length * 8; at += 3) {
      const mutant = Buffer.from(bytes)
      mutant[at >> 3]! ^= 1 << (at & 7)
      verdicts.add(await verdictOf(verifier, asked({ ...good, signature: mutant.toString('base64') })))
    }
    expect([...verdicts]).toEqual(['JOIN_PROOF_INVALID'])
    expect(bytes.length).toBeGreaterThan(700)
  })

  it('cut, or followed by bytes, is refused', async () => {
    const good = proofOf()
    const bytes = Buffer.from(good.signature, 'base64')
    const mutants: Buffer[] = [...bytes.keys()].map((size) => bytes.subarray(0, size))
    mutants.push(Buffer.concat([bytes, Buffer.from([0])]), Buffer.concat([bytes, bytes]))
    for (const mutant of mutants.filter(({ length }) => length > 3))
      expect(await verdictOf(verifier, asked({ ...good, signature: mutant.toString('base64') }))).toBe(
        'JOIN_PROOF_INVALID',
      )
  })

  it('that is nested without end is refused', async () => {
    const deep = Buffer.concat([Buffer.alloc(8000).fill(Buffer.from([0x30, 0x80])), Buffer.alloc(100)])
    const proof = { ...proofOf(), signature: deep.toString('base64') }
    expect(await messageOf(verifier, asked(proof))).toMatch(
      /JOIN_PROOF_INVALID: .* its signature is too deep/,
    )
  })
})

describe('the form', () => {
  it('of anything else is refused', async () => {
    for (const mutant of formMutants(proofOf()))
      expect([mutant, await verdictOf(verifier, asked(mutant))]).toEqual([mutant, 'JOIN_PROOF_INVALID'])
  })

  it('of base64 is the only one', async () => {
    const good = proofOf()
    for (const name of ['document', 'signature'] as const)
      for (const change of [
        `${good[name]}\n`,
        ` ${good[name]}`,
        good[name].replaceAll(/[AQ](?==*$)/g, 'B'),
        `${good[name]}====`,
        good[name].replace(/^(.{64})/, '$1\n'),
      ])
        if (change !== good[name])
          expect(await verdictOf(verifier, asked({ ...good, [name]: change }))).toBe('JOIN_PROOF_INVALID')
  })
})

describe('certificates', () => {
  it('are published for every region of the table, RSA with 2048 bits, and signed by themselves', () => {
    const found = Object.entries(published).map(
      ([region, der]) => [region, new X509Certificate(Buffer.from(der, 'base64'))] as const,
    )
    expect(found.length).toBeGreaterThanOrEqual(39)
    for (const [region, certificate] of found) {
      const { publicKey } = certificate
      expect([region, publicKey.asymmetricKeyType, publicKey.asymmetricKeyDetails?.modulusLength]).toEqual([
        region,
        'rsa',
        2048,
      ])
      expect([region, certificate.verify(publicKey), certificate.subject.split('\n').at(-1)]).toEqual([
        region,
        true,
        'O=Amazon Web Services LLC',
      ])
    }
    expect(new Set(Object.values(published)).size).toBe(found.length)
  })

  it('of another region do not count', async () => {
    expect(await messageOf(verifierWith(undefined), asked(proofOf()))).toMatch(
      /JOIN_PROOF_INVALID: .* no certificate for region us-west-2 made/,
    )
  })

  it.each([
    ['of an unknown region', undefined, 'us-iso-east-1', /no certificate is known for region us-iso-east-1/],
    ['in a file that is not there', join(folder, 'none.pem'), 'us-west-2', /cannot read .*none\.pem: ENOENT/],
    [
      'in a file without any',
      certificateFile('empty.pem', 'nothing'),
      'us-west-2',
      /it contains no PEM certificate/,
    ],
    [
      'that cannot be read',
      certificateFile('bad.pem', regionCertificate.pem.replace(/MI/, 'AA')),
      'us-west-2',
      /cannot read/,
    ],
  ])('%s leave the proof unchecked', async (_, file, region, why) => {
    expect(await messageOf(verifierWith(file, { ...place, region }), asked(proofOf()))).toMatch(why)
    expect(await verdictOf(verifierWith(file, { ...place, region }), asked(proofOf()))).toBe(
      'JOIN_PROOF_UNCHECKED',
    )
  })
})

describe('the pool', () => {
  const withJoin = (join: object) => ({ ...awsConfig(), join: { proof: 'required' as const, ...join } })
  const kinds = (proofs?: string[]) =>
    aws.joinProofs!(withJoin(proofs ? { proofs } : {}), joinContext()).map(({ kind }) => kind)

  it('accepts documents only if it names them', () => {
    expect(kinds()).toEqual(['aws-sts'])
    expect(kinds(['aws-identity-document'])).toEqual(['aws-identity-document'])
    expect(kinds(['aws-sts', 'aws-identity-document'])).toEqual(['aws-sts', 'aws-identity-document'])
  })

  it('is warned of certificates that have no effect', () => {
    const problems = (proofs?: string[]) =>
      aws.joinProblems!(withJoin({ ...(proofs && { proofs }), identity_certificates: ofTest })).map(
        ({ code }) => code,
      )
    expect(problems()).toEqual(['CONFIG_UNUSED'])
    expect(problems(['aws-identity-document'])).toEqual([])
    expect(aws.joinProblems!(withJoin({}))).toEqual([])
  })
})
