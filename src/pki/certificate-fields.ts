// What the verifiers look at in a certificate (RFC 5280 section 4.1), read from its DER.
import {
  type Extension,
  type KnownExtensions,
  readExtensions,
  readKnownExtensions,
} from './certificate-extensions.ts'
import {
  type Der,
  DerError,
  derBitString,
  derChildren,
  derInteger,
  derOid,
  derSequence,
  derSmallInteger,
  readDer,
} from './der.ts'
import { type NameAttribute, nameAttributes } from './distinguished-name.ts'
import { rsaPss } from './oids.ts'
import { type PssParameters, readPss } from './pss.ts'

export interface CertificateFields extends KnownExtensions {
  /** 1, 2 or 3. */
  version: number
  serialNegative: boolean
  /** The algorithm the certificate is signed with; `pss` when that is RSA-PSS. */
  signature: { oid: string; pss?: PssParameters }
  /** The signed part names another signature algorithm than the certificate does. */
  signatureDiffers: boolean
  /** DER of the names: Go compares these bytes. */
  issuerDer: Buffer
  subjectDer: Buffer
  issuer: NameAttribute[]
  subject: NameAttribute[]
  /** As written, such as `301231235959Z`, with the tag of their time type. */
  times: { tag: number; text: string }[]
  publicKey: { oid: string; parameters?: Der; bytes: Buffer }
  extensions: Extension[]
}

/** Throws DerError when the bytes are not the strict DER of a certificate. */
export function readCertificateFields(der: Buffer): CertificateFields {
  const [signed, algorithm, signature] = derSequence(readDer(der))
  derBitString(signature)
  const all = derSequence(signed)
  const versioned = all[0]?.tag === 0xa0
  const [serial, innerAlgorithm, issuer, validity, subject, key, ...rest] = versioned ? all.slice(1) : all
  if (!algorithm || !innerAlgorithm || !issuer || !subject) throw new DerError('is not a certificate')
  const extensions = readExtensions(rest.find((part) => part.tag === 0xa3))
  return {
    version: versioned ? derSmallInteger(derChildren(all[0]!.content)[0]) + 1 : 1,
    serialNegative: (derInteger(serial)[0]! & 0x80) !== 0,
    signature: readSignature(algorithm),
    signatureDiffers: !algorithm.bytes.equals(innerAlgorithm.bytes),
    issuerDer: issuer.bytes,
    subjectDer: subject.bytes,
    issuer: nameAttributes(issuer),
    subject: nameAttributes(subject),
    times: derSequence(validity).map((time) => ({ tag: time.tag, text: time.content.toString('latin1') })),
    publicKey: readPublicKey(key),
    extensions,
    ...readKnownExtensions(extensions),
  }
}

function readSignature(algorithm: Der): CertificateFields['signature'] {
  const { oid, parameters } = readAlgorithm(algorithm)
  return oid === rsaPss ? { oid, pss: readPss(parameters) } : { oid }
}

function readAlgorithm(element: Der | undefined): { oid: string; parameters?: Der } {
  const [oid, parameters] = derSequence(element)
  return { oid: derOid(oid), parameters }
}

function readPublicKey(element: Der | undefined): CertificateFields['publicKey'] {
  const [algorithm, bits] = derSequence(element)
  if (bits?.content[0] !== 0) throw new DerError('has a public key of broken bytes')
  return { ...readAlgorithm(algorithm), bytes: derBitString(bits) }
}
