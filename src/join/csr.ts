// Reads the certificate request (PKCS #10, RFC 2986) of an instance. One form only: ECDSA P-256 with SHA-256, the instance id as the
// only name. What else it asks for is ignored.
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import {
  DerError,
  derBitString,
  derContent,
  derOid,
  derSequence,
  derSmallInteger,
  derTag,
  readDer,
} from '../pki/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'

export interface CsrKey {
  publicKey: KeyObject
  /** SHA-256 of the SubjectPublicKeyInfo in DER, hex. */
  key: string
}

/** A SubjectPublicKeyInfo of an uncompressed point on P-256 (RFC 5480), up to the coordinates. */
const p256Prefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex')
const p256Length = p256Prefix.length + 64
/** ecdsa-with-SHA256 (RFC 5758 3.2), which has no parameters. */
const ecdsaSha256 = Buffer.from('300a06082a8648ce3d040302', 'hex')
const commonName = '2.5.4.3'
const stringTags = [0x0c, 0x13]
const attributesTag = 0xa0

/**
 * Ids of instances that can have a certificate: names need no escape anywhere, and fit a common name (RFC 5280, ub-common-name).
 */
export const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** Checks the form, the name and the signature. Throws JOIN_CSR_INVALID, which quotes none of the bytes. */
export function readCsr(der: Buffer, id: string): CsrKey {
  try {
    return keyOf(der, id)
  } catch (error) {
    if (error instanceof ProvisionError) throw error
    if (error instanceof DerError) throw invalid(`the certificate request ${error.message}`)
    throw invalid('its public key is not a point of the curve')
  }
}

function keyOf(der: Buffer, id: string): CsrKey {
  const whole = readDer(der)
  if (whole.bytes.length !== der.length) throw invalid('bytes follow the certificate request')
  const [info, algorithm, signature, ...rest] = derSequence(whole)
  const [version, subject, spki, attributes, ...more] = derSequence(info)
  if (rest.length > 0 || more.length > 0) throw invalid('the certificate request has too many elements')
  if (derSmallInteger(version) !== 0) throw invalid('the certificate request has an unknown version')
  derContent(attributes, attributesTag)
  if (nameIn(derContent(subject, derTag.sequence)) !== id)
    throw invalid('its subject is not CN=<instance id>')
  if (spki?.bytes.length !== p256Length || !spki.bytes.subarray(0, p256Prefix.length).equals(p256Prefix))
    throw invalid('its key is not an ECDSA key on P-256')
  if (!algorithm?.bytes.equals(ecdsaSha256)) throw invalid('it is not signed by ECDSA with SHA-256')
  if (derContent(signature, derTag.bitString)[0] !== 0) throw invalid('its signature has unused bits')
  const publicKey = createPublicKey({ key: spki.bytes, format: 'der', type: 'spki' })
  if (!verify('sha256', info!.bytes, publicKey, derBitString(signature)))
    throw invalid('its signature was not made by its key')
  return { publicKey, key: sha256(spki.bytes) }
}

/** The common name, if there is nothing else in the name; undefined otherwise. */
function nameIn(content: Buffer): string | undefined {
  const names = derSequence({ tag: derTag.sequence, bytes: content, content })
  if (names.length !== 1) return undefined
  const pairs = derSequence(names[0], derTag.set)
  const [type, value, ...rest] = derSequence(pairs[0])
  if (pairs.length !== 1 || rest.length > 0 || derOid(type) !== commonName) return undefined
  return value && stringTags.includes(value.tag) ? value.content.toString('latin1') : undefined
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function invalid(message: string): ProvisionError {
  return new ProvisionError(problem('JOIN_CSR_INVALID', message))
}
