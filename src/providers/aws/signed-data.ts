// A signed document in the form in which EC2 hands it out: CMS SignedData (RFC 5652; formerly PKCS #7) in BER, with the document
// inside, one RSA signature with SHA-256 over signed attributes, and no certificate. Any other form is refused.

import { verify, type X509Certificate } from 'node:crypto'
import {
  type Der,
  DerError,
  derContent,
  derOid,
  derSequence,
  derSmallInteger,
  derTag,
  readDer,
} from '../../pki/index.ts'

const oids = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  rsaEncryption: '1.2.840.113549.1.1.1',
  rsaWithSha256: '1.2.840.113549.1.1.11',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const

/** Context-specific tag [0], constructed. */
const tagZero = 0xa0

export interface SignedDocument {
  content: Buffer
  /** The SHA-256 that the signature covers; the caller compares it with that of `content`. */
  digest: Buffer
  /** Issuer and serial number of the signer's certificate, in DER. */
  signer: Buffer
  /** What is signed, and the signature. */
  attributes: Buffer
  signature: Buffer
}

/** Throws DerError for any other form, and for bytes after it. */
export function readSignedDocument(ber: Buffer): SignedDocument {
  const [type, explicit, ...more] = derSequence(readDer(definite(ber)))
  expect(derOid(type) === oids.signedData && more.length === 0, 'is not signed data')
  const parts = derSequence(derSequence(explicit, tagZero)[0])
  expect(parts.length === 4, 'has certificates or revocation lists, or lacks a part')
  const [version, algorithms, encapsulated, signers] = parts
  expect(derSmallInteger(version) === 1, 'has another version')
  const digests = derSequence(algorithms, derTag.set)
  expect(digests.length === 1 && algorithmOf(digests[0]) === oids.sha256, 'has another digest than SHA-256')
  const infos = derSequence(signers, derTag.set)
  expect(infos.length === 1, 'does not have one signature')
  return { content: contentOf(encapsulated), ...signerOf(infos[0]) }
}

function contentOf(encapsulated: Der | undefined): Buffer {
  const [type, explicit, ...more] = derSequence(encapsulated)
  const inner = derSequence(explicit, tagZero)
  expect(derOid(type) === oids.data && more.length === 0 && inner.length === 1, 'has no document')
  return derContent(inner[0], derTag.octetString)
}

function signerOf(info: Der | undefined): Omit<SignedDocument, 'content'> {
  const parts = derSequence(info)
  expect(parts.length === 6, 'has no signed attributes, or unsigned ones')
  const [version, signer, digestAlgorithm, attributes, signatureAlgorithm, signature] = parts
  expect(derSmallInteger(version) === 1, 'names its signer in another way')
  expect(algorithmOf(digestAlgorithm) === oids.sha256, 'has another digest than SHA-256')
  const algorithm = algorithmOf(signatureAlgorithm)
  expect(algorithm === oids.rsaEncryption || algorithm === oids.rsaWithSha256, 'is not signed with RSA')
  const values = new Map<string, Der>()
  for (const attribute of derSequence(attributes, tagZero)) {
    const [type, set, ...more] = derSequence(attribute)
    const [value, ...others] = derSequence(set, derTag.set)
    const name = derOid(type)
    expect(value !== undefined && more.length + others.length === 0, 'has an attribute with several values')
    expect(!values.has(name), 'has an attribute twice')
    values.set(name, value!)
  }
  expect(derOid(values.get(oids.contentType)) === oids.data, 'is signed as something else')
  derSequence(signer)
  return {
    digest: derContent(values.get(oids.messageDigest), derTag.octetString),
    signer: signer!.bytes,
    // RFC 5652 section 5.4: the signature covers the attributes as a SET.
    attributes: Buffer.concat([Buffer.from([derTag.set]), attributes!.bytes.subarray(1)]),
    signature: derContent(signature, derTag.octetString),
  }
}

/** Its parameters are absent or NULL. */
function algorithmOf(element: Der | undefined): string {
  const [oid, parameters, ...more] = derSequence(element)
  expect(more.length === 0, 'has an algorithm of another form')
  expect(!parameters || derContent(parameters, derTag.null).length === 0, 'has an algorithm with parameters')
  return derOid(oid)
}

function expect(isTrue: boolean, otherwise: string): void {
  if (!isTrue) throw new DerError(otherwise)
}

/** Whether the certificate is the one that the document names, with an RSA key of at least 2048 bits, and its key signed it. */
export function isSignedBy(document: SignedDocument, certificate: X509Certificate): boolean {
  const { publicKey, raw } = certificate
  const { modulusLength = 0 } = publicKey.asymmetricKeyDetails ?? {}
  if (publicKey.asymmetricKeyType !== 'rsa' || modulusLength < 2048) return false
  if (!signerNameOf(raw).equals(document.signer)) return false
  return verify('sha256', document.attributes, publicKey, document.signature)
}

/** Issuer and serial number, as a signature names them. */
function signerNameOf(certificate: Buffer): Buffer {
  const parts = derSequence(derSequence(readDer(certificate))[0])
  const [serial, , issuer] = parts[0]?.tag === tagZero ? parts.slice(1) : parts
  return element(derTag.sequence, Buffer.concat([issuer?.bytes ?? Buffer.of(), serial?.bytes ?? Buffer.of()]))
}

// BER to DER, as far as the encoder of EC2 differs: indefinite lengths, and octet strings in pieces (X.690 section 8).

const deepest = 32
const constructed = 0x20

/** Throws DerError; also for bytes after the element. */
function definite(ber: Buffer): Buffer {
  const { der, size } = convert(ber, 0)
  expect(size === ber.length, 'is followed by other bytes')
  return der
}

function convert(ber: Buffer, depth: number): { der: Buffer; size: number } {
  expect(depth <= deepest, 'is too deep')
  const [tag = 0, length] = ber
  expect(tag !== 0 && length !== undefined, 'ends inside an element')
  const isConstructed = (tag & constructed) !== 0
  if (length !== 0x80) {
    const { bytes, content } = readDer(ber)
    if (!isConstructed) return { der: bytes, size: bytes.length }
    const { parts, size } = convertAll(content, depth, false)
    expect(size === content.length, 'ends inside an element')
    return { der: joined(tag, parts), size: bytes.length }
  }
  expect(isConstructed, 'has a value without a length')
  const { parts, size } = convertAll(ber.subarray(2), depth, true)
  return { der: joined(tag, parts), size: size + 2 }
}

/** The elements up to the end, or up to the two zero bytes that end a value of indefinite length. */
function convertAll(ber: Buffer, depth: number, isIndefinite: boolean): { parts: Buffer[]; size: number } {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    if (isIndefinite && ber[at] === 0 && ber[at + 1] === 0) return { parts, size: at + 2 }
    if (!isIndefinite && at === ber.length) return { parts, size: at }
    const { der, size } = convert(ber.subarray(at), depth + 1)
    parts.push(der)
    at += size
  }
}

function joined(tag: number, parts: Buffer[]): Buffer {
  if (tag !== (derTag.octetString | constructed)) return element(tag, Buffer.concat(parts))
  const pieces = parts.map((part) => derContent(readDer(part), derTag.octetString))
  return element(derTag.octetString, Buffer.concat(pieces))
}

function element(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  const digits = length.toString(16)
  const size = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | size.length]), size, content])
}
