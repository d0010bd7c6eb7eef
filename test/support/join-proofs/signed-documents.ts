// Instance identity documents and their signatures in the form of EC2: CMS in BER with indefinite lengths. Shares no code with src.
import { createHash, sign } from 'node:crypto'
import { integer, nothing, octets, oid, sequence, set, time, tlv } from '../der-writer.ts'
import type { TestKey } from '../test-keys.ts'
import { testKey } from '../test-keys.ts'
import { type Issued, issue } from '../x509.ts'

export const documentFacts = {
  accountId: '123456789012',
  architecture: 'x86_64',
  availabilityZone: 'us-west-2a',
  billingProducts: null,
  imageId: 'ami-0123456789abcdef0',
  instanceId: 'i-0123456789abcdef0',
  instanceType: 'g5.xlarge',
  pendingTime: '2026-11-30T01:02:03Z',
  privateIp: '10.0.0.9',
  region: 'us-west-2',
  version: '2017-09-30',
}

export const regionCertificate: Issued = issue({
  key: testKey('rsa2048', 'region'),
  subject: 'region',
  serial: Buffer.from([0, 0xb6, 0x4b]),
})

const ids = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
  rsaSha256: '1.2.840.113549.1.1.11',
  rsaSha1: '1.2.840.113549.1.1.5',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha1: '1.3.14.3.2.26',
}
const algorithm = (id: string) => sequence(oid(id), nothing())

export interface SignatureSpec {
  certificate?: Issued
  /** Default: that of the certificate. */
  key?: TestKey
  /** Default: `sha256`. */
  hash?: 'sha256' | 'sha1'
  /** Signs without signed attributes. */
  bare?: boolean
  /** Instead of the digest of the content. */
  digest?: Buffer
  /** Instead of `data`. */
  contentType?: string
  /** Attributes in addition to the three, in DER. */
  more?: Buffer[]
  /** Signers, certificates and unsigned attributes that EC2 does not send. */
  signers?: number
  embed?: boolean
  unsigned?: boolean
  version?: number
  /** After the signers. */
  after?: Buffer
  /** Definite lengths. */
  isDer?: boolean
}

/** A value of indefinite length. */
function open(tag: number, ...parts: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([tag, 0x80]), ...parts, Buffer.from([0, 0])])
}

/** What `instance-identity/rsa2048` of the metadata service returns, as bytes. */
export function signedDocument(content: Buffer, spec: SignatureSpec = {}): Buffer {
  const { certificate = regionCertificate, hash = 'sha256', version = 1 } = spec
  const wrap = spec.isDer ? tlv : open
  const { privateKey } = spec.key ?? certificate.key
  const digest = spec.digest ?? createHash(hash).update(content).digest()
  const attributes = [
    sequence(oid(ids.contentType), set(oid(spec.contentType ?? ids.data))),
    sequence(oid(ids.signingTime), set(time(Date.now()))),
    sequence(oid(ids.messageDigest), set(octets(digest))),
    ...(spec.more ?? []),
  ]
  const signature = sign(hash, spec.bare ? content : set(...attributes), privateKey)
  const digestId = hash === 'sha1' ? ids.sha1 : ids.sha256
  const signer = sequence(
    integer(version),
    signerNameOf(certificate.der),
    algorithm(digestId),
    ...(spec.bare ? [] : [tlv(0xa0, ...attributes)]),
    algorithm(hash === 'sha1' ? ids.rsaSha1 : ids.rsaSha256),
    octets(signature),
    ...(spec.unsigned ? [tlv(0xa1, sequence(oid(ids.signingTime), set(time(Date.now()))))] : []),
  )
  const inside = spec.isDer
    ? octets(content)
    : open(0x24, octets(content.subarray(0, 100)), octets(content.subarray(100)))
  return wrap(
    0x30,
    oid(ids.signedData),
    wrap(
      0xa0,
      wrap(
        0x30,
        integer(version),
        set(algorithm(digestId)),
        wrap(0x30, oid(ids.data), wrap(0xa0, inside)),
        ...(spec.embed ? [tlv(0xa0, certificate.der)] : []),
        set(...Array<Buffer>(spec.signers ?? 1).fill(signer)),
        ...(spec.after ? [spec.after] : []),
      ),
    ),
  )
}

/** Issuer and serial number; the certificates here are self-signed and of version 3. */
function signerNameOf(der: Buffer): Buffer {
  // Certificate, TBSCertificate, version, serial, algorithm, issuer.
  const inner = contentOf(contentOf(der))
  const parts: Buffer[] = []
  for (let at = 0; at < inner.length && parts.length < 4; ) {
    const size = sizeOf(inner.subarray(at))
    parts.push(inner.subarray(at, at + size))
    at += size
  }
  return sequence(parts[3]!, parts[1]!)
}

function headOf(der: Buffer): { head: number; length: number } {
  const first = der[1]!
  if (first < 0x80) return { head: 2, length: first }
  return { head: 2 + (first & 0x7f), length: der.readUIntBE(2, first & 0x7f) }
}

function sizeOf(der: Buffer): number {
  const { head, length } = headOf(der)
  return head + length
}

function contentOf(der: Buffer): Buffer {
  const { head, length } = headOf(der)
  return der.subarray(head, head + length)
}
