// Writes certificates: for the development CA, and for the CA that issues the certificates of instances.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
  sign,
  type webcrypto,
  X509Certificate,
} from 'node:crypto'
import { promisify } from 'node:util'
import type * as X509 from '@peculiar/x509'
import type { Limiter } from '../platform/index.ts'
import { derBitString, derSequence, readDer } from './der.ts'

/**
 * The private key of a CA, wherever it is: in memory, in a token, in a service. `sign` makes the signature over a
 * SHA-256 digest of the bytes: for an EC key r and s as PKCS #11 and WebCrypto have them (each as long as the curve's
 * order), for an RSA key PKCS #1 v1.5.
 */
export interface CaKey {
  readonly publicKey: KeyObject
  sign(bytes: Uint8Array): Promise<Buffer>
  /** For a key that is elsewhere: how many signatures it makes at once. One in memory makes one after the other. */
  readonly inTurn?: Limiter
}

/** A new ECDSA P-256 key; PKCS #8 in PEM. */
export interface NewKey {
  pem: string
  key: CaKey
}

/** One attribute for each entry, such as `{ CN: ['name'] }`. */
export type SubjectParts = Record<string, string[]>[]

/**
 * What a certificate is for: `ca` is the number of levels of certificates below that of a CA; all others are for TLS, of a server
 * or a client.
 */
export type CertificateUse =
  | { ca: number }
  | { purpose: 'serverAuth' | 'clientAuth'; names: { type: 'dns' | 'ip' | 'url'; value: string }[] }

export interface CertificateRequest {
  subject: SubjectParts
  publicKey: KeyObject
  /** Milliseconds since the epoch; seconds are what a certificate has (RFC 5280 4.1.2.5). */
  notBefore: number
  notAfter: number
  use: CertificateUse
}

/** Who signs: a CA certificate in PEM and its key. */
export interface Authority {
  certificate: string
  key: CaKey
}

/** Milliseconds that certificates start in the past, because the clocks of freshly booted VMs may be slow. */
export const certificateSkew = 3_600_000

/**
 * A key in PEM. It signs at once, in some 0.05 ms: the thread pool may be full of writes to the disk. Throws for a key that is
 * neither EC on P-256 or P-384 nor RSA.
 */
export function caKeyOf(pem: string): CaKey {
  const privateKey = createPrivateKey(pem)
  const publicKey = createPublicKey(privateKey)
  algorithmOf(publicKey)
  return {
    publicKey,
    sign: async (bytes) => sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  }
}

export async function newKey(): Promise<NewKey> {
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { pem, key: caKeyOf(pem) }
}

/** Together they take 170 ms to load, and few commands write certificates. The first must load before the second. */
async function loadX509(): Promise<typeof X509> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  return x509
}

/** What `writeCertificate` loads at its first call. */
export async function loadCertificateWriter(): Promise<void> {
  await loadX509()
}

/** PEM with LF line ends. Without `by` the certificate is signed by its own key, `own`. */
export async function writeCertificate(
  request: CertificateRequest,
  by: Authority | { own: CaKey },
): Promise<string> {
  const x509 = await loadX509()
  const key = 'own' in by ? by.own : by.key
  const issuer = 'own' in by ? undefined : issuerOf(x509, by)
  const authorityId = issuer ? issuer.keyId : keyIdOf(key.publicKey)
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      subject: request.subject,
      issuer: issuer?.name ?? request.subject,
      notBefore: wholeSecond(request.notBefore),
      notAfter: wholeSecond(request.notAfter),
      publicKey: spkiOf(request.publicKey),
      // The library takes the algorithm from the key, and the signature from the provider below.
      signingKey: { algorithm: algorithmOf(key.publicKey) } as webcrypto.CryptoKey,
      extensions: [
        ...extensionsFor(x509, request.use),
        new x509.SubjectKeyIdentifierExtension(keyIdOf(request.publicKey)),
        ...(authorityId ? [new x509.AuthorityKeyIdentifierExtension(authorityId)] : []),
      ],
    },
    {
      subtle: { sign: (_: unknown, __: unknown, bytes: ArrayBuffer) => key.sign(Buffer.from(bytes)) },
    } as never,
  )
  return new X509Certificate(Buffer.from(certificate.rawData)).toString()
}

interface Issuer {
  name: X509.Name
  keyId: string | undefined
}

/** Reading a certificate takes as long as writing one. */
const issuers = new WeakMap<Authority, Issuer>()

function issuerOf(x509: typeof X509, authority: Authority): Issuer {
  const known = issuers.get(authority)
  if (known) return known
  const certificate = new x509.X509Certificate(authority.certificate)
  const { keyId } = certificate.getExtension(x509.SubjectKeyIdentifierExtension) ?? {}
  const issuer = { name: certificate.subjectName, keyId }
  issuers.set(authority, issuer)
  return issuer
}

function extensionsFor(x509: typeof X509, use: CertificateUse): X509.Extension[] {
  if ('ca' in use)
    return [
      new x509.BasicConstraintsExtension(true, use.ca, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ]
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[use.purpose]]),
    new x509.SubjectAlternativeNameExtension(use.names),
  ]
}

export function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' })
}

/** SHA-1 of the key's bits (RFC 5280 4.2.1.2, method 1), hex. */
function keyIdOf(key: KeyObject): string {
  const bits = derBitString(derSequence(readDer(spkiOf(key)))[1])
  return createHash('sha1').update(bits).digest('hex')
}

function algorithmOf(key: KeyObject): webcrypto.KeyAlgorithm {
  const hash = { name: 'SHA-256' }
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash } as webcrypto.KeyAlgorithm
  const curve = key.asymmetricKeyDetails?.namedCurve
  const namedCurve = curve && { prime256v1: 'P-256', secp384r1: 'P-384' }[curve]
  if (!namedCurve) throw new Error('it is neither an ECDSA key on P-256 or P-384 nor an RSA key')
  return { name: 'ECDSA', namedCurve, hash } as webcrypto.KeyAlgorithm
}

function wholeSecond(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000)
}

/** 16 random bytes, positive and without a leading zero (RFC 5280 4.1.2.2; Go refuses negative ones). */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return bytes.toString('hex')
}
