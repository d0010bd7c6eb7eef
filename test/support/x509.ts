// A small certificate writer with node:crypto, for valid and invalid certificates.
import { constants, randomBytes, sign } from 'node:crypto'
import {
  bitString,
  integer,
  nothing,
  oid,
  type StringType,
  sequence,
  set,
  text,
  time,
  tlv,
} from './der-writer.ts'
import { type TestKey, testKey } from './test-keys.ts'

export type Digest = 'md5' | 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512'

export interface CertificateSpec {
  key?: TestKey
  /** Common name, or the DER of a whole name. */
  subject?: string | Buffer
  /** Undefined: self-signed. */
  issuer?: Issued
  /** DER of the issuer's name if it differs from the issuer's subject. */
  issuerName?: Buffer
  notBefore?: number
  notAfter?: number
  /** DER of the whole validity, for unusual forms. */
  validity?: Buffer
  digest?: Digest
  /** Signs with RSA-PSS although the key is a plain RSA key; salt in bytes. */
  pssSalt?: number
  /** Hash of the mask in RSA-PSS; undefined: the same as of the content. */
  pssMask?: Digest
  version?: 1 | 3
  /** Content of the INTEGER. */
  serial?: Buffer
  spki?: Buffer
  extensions?: Buffer[]
  /** DER of the signature algorithm inside the signed part, if it differs from the one outside. */
  innerAlgorithm?: Buffer
}

export interface Issued {
  der: Buffer
  pem: string
  key: TestKey
  /** DER. */
  subject: Buffer
}

export const day = 86_400_000
/** Start of this test run; certificates are judged at this time. */
export const now = Date.now()

const digestOid = {
  md5: '1.2.840.113549.2.5',
  sha1: '1.3.14.3.2.26',
  sha224: '2.16.840.1.101.3.4.2.4',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
}
const rsaOid = { md5: 4, sha1: 5, sha224: 14, sha256: 11, sha384: 12, sha512: 13 }
const ecdsaOid = { md5: '', sha1: '1', sha224: '3.1', sha256: '3.2', sha384: '3.3', sha512: '3.4' }

export function commonName(name: string, type: StringType = 'utf8'): Buffer {
  return sequence(set(sequence(oid('2.5.4.3'), text(name, type))))
}

/** Exactly as specified: adds no extension. */
export function issue(spec: CertificateSpec): Issued {
  const key = spec.key ?? testKey()
  const subject = typeof spec.subject === 'object' ? spec.subject : commonName(spec.subject ?? 'master')
  const signer = spec.issuer?.key ?? key
  const algorithm = signatureAlgorithm(signer, spec)
  const extensions = spec.extensions ?? []
  const signed = sequence(
    ...((spec.version ?? 3) === 3 ? [tlv(0xa0, integer(2))] : []),
    spec.serial ? tlv(0x02, spec.serial) : integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    spec.innerAlgorithm ?? algorithm,
    spec.issuerName ?? spec.issuer?.subject ?? subject,
    spec.validity ?? sequence(time(spec.notBefore ?? now - day), time(spec.notAfter ?? now + 365 * day)),
    subject,
    spec.spki ?? key.spki,
    ...(extensions.length > 0 ? [tlv(0xa3, sequence(...extensions))] : []),
  )
  const der = sequence(signed, algorithm, bitString(signature(signed, signer, spec)))
  return { der, pem: pemOf(der), key, subject }
}

export function pemOf(der: Buffer, label = 'CERTIFICATE'): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

function signatureAlgorithm(signer: TestKey, spec: CertificateSpec): Buffer {
  const { digest = 'sha256', pssSalt } = spec
  switch (signer.kind) {
    case 'ed25519':
      return sequence(oid('1.3.101.112'))
    case 'ed448':
      return sequence(oid('1.3.101.113'))
    case 'dsa':
      return sequence(oid('2.16.840.1.101.3.4.3.2'))
    case 'rsa-pss':
      return pssAlgorithm(spec)
    case 'rsa1024':
    case 'rsa2048':
    case 'rsa3072':
      if (pssSalt !== undefined) return pssAlgorithm(spec)
      return sequence(oid(`1.2.840.113549.1.1.${rsaOid[digest]}`), nothing())
    default:
      return sequence(oid(`1.2.840.10045.4.${ecdsaOid[digest]}`))
  }
}

function pssAlgorithm({ digest = 'sha256', pssSalt = 32, pssMask = digest }: CertificateSpec): Buffer {
  const hash = (name: Digest) => sequence(oid(digestOid[name]), nothing())
  const mask = sequence(oid('1.2.840.113549.1.1.8'), hash(pssMask))
  return sequence(
    oid('1.2.840.113549.1.1.10'),
    sequence(tlv(0xa0, hash(digest)), tlv(0xa1, mask), tlv(0xa2, integer(pssSalt))),
  )
}

function signature(signed: Buffer, signer: TestKey, { digest = 'sha256', pssSalt }: CertificateSpec): Buffer {
  const key = signer.privateKey
  if (signer.kind === 'ed25519' || signer.kind === 'ed448') return sign(null, signed, key)
  if (signer.kind === 'rsa-pss' || pssSalt !== undefined)
    return sign(digest, signed, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: pssSalt ?? 32 })
  return sign(digest, signed, key)
}
