// A private CA and a server certificate for people who have none: root, intermediate, leaf, all ECDSA P-256.
import { KeyObject, randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import type * as X509 from '@peculiar/x509'
import { ProvisionError, problem } from '../problems/problem.ts'
import { type DevelopmentNames, developmentNames } from './development-names.ts'

export { type DevelopmentFiles, developmentFiles, writeDevelopmentChain } from './development-files.ts'

/** Certificate and PKCS #8 private key, both PEM with LF line ends. */
export interface DevelopmentPair {
  certificate: string
  key: string
}

export interface DevelopmentChain {
  root: DevelopmentPair
  intermediate: DevelopmentPair
  leaf: DevelopmentPair
  /** Leaf, intermediate and root: what `security.tls.cert` wants, beside the leaf's key. */
  chain: string
}

export interface DevelopmentRequest {
  /** DNS names of the leaf; wildcards and IDN are allowed. */
  names: string[]
  ips: string[]
  /** Lifetime of the leaf, 1 to 36,500. The CAs live ten years, or as long as the leaf if that is longer. */
  days: number
  /** Milliseconds since the epoch. */
  now: number
}

const dayMs = 86_400_000
const caDays = 3650
const maxDays = 36_500
/** Clocks of freshly booted VMs lag. */
const skewMs = 3_600_000
/** Upper bound of a common name (RFC 5280 appendix A.1, ub-common-name). */
const maxCommonName = 64
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

interface Profile {
  subject: X509.JsonName
  days: number
  extensions: X509.Extension[]
}

interface Issued {
  pair: DevelopmentPair
  subject: X509.JsonName
  keys: CryptoKeyPair
}

type CryptoKeyPair = webcrypto.CryptoKeyPair

/** Makes new keys and certificates at every call; throws a ProvisionError when the request is impossible. */
export async function createDevelopmentChain(request: DevelopmentRequest): Promise<DevelopmentChain> {
  const names = developmentNames(request.names, request.ips)
  if (!(request.days >= 1 && request.days <= maxDays))
    throw new ProvisionError(
      problem('CERTS_REQUEST_INVALID', `a lifetime of ${request.days} days is out of range`),
    )
  // Together they cost 170 ms to load, and only this needs them. The first must run before the second.
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const issue = issuer(x509, request.now)

  // A CA of the same name with another key makes verifiers try the wrong key and report a bad signature.
  const id = randomBytes(3).toString('hex')
  const caLife = Math.max(caDays, request.days)
  const root = await issue({ ...caProfile(x509, `Development root CA ${id}`, 1), days: caLife })
  const intermediate = await issue({ ...caProfile(x509, `Development CA ${id}`, 0), days: caLife }, root)
  const leaf = await issue({ ...leafProfile(x509, names), days: request.days }, intermediate)
  return {
    root: root.pair,
    intermediate: intermediate.pair,
    leaf: leaf.pair,
    chain: leaf.pair.certificate + intermediate.pair.certificate + root.pair.certificate,
  }
}

function caProfile(x509: typeof X509, commonName: string, pathLength: number): Omit<Profile, 'days'> {
  return {
    subject: [{ O: ['Agent provisioner'] }, { CN: [commonName] }],
    extensions: [
      new x509.BasicConstraintsExtension(true, pathLength, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  }
}

function leafProfile(x509: typeof X509, names: DevelopmentNames): Omit<Profile, 'days'> {
  const first = names.dns[0] ?? names.ips[0]!
  const alternatives = [
    ...names.dns.map((value) => ({ type: 'dns' as const, value })),
    ...names.ips.map((value) => ({ type: 'ip' as const, value })),
  ]
  return {
    subject: [
      { O: ['Agent provisioner'] },
      { CN: [first.length <= maxCommonName ? first : 'Development server'] },
    ],
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(alternatives),
    ],
  }
}

/** Issues by the given issuer, or self-signed without one. */
function issuer(x509: typeof X509, now: number) {
  // X.509 times are whole seconds (RFC 5280 4.1.2.5).
  const start = Math.floor((now - skewMs) / 1000) * 1000
  return async (profile: Profile, by?: Issued): Promise<Issued> => {
    const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair
    const signer = by?.keys ?? keys
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: serialNumber(),
        subject: profile.subject,
        issuer: by?.subject ?? profile.subject,
        notBefore: new Date(start),
        notAfter: new Date(start + skewMs + profile.days * dayMs),
        publicKey: keys.publicKey,
        signingKey: signer.privateKey,
        signingAlgorithm: algorithm,
        extensions: [
          ...profile.extensions,
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
          await x509.AuthorityKeyIdentifierExtension.create(signer.publicKey, false, webcrypto),
        ],
      },
      webcrypto,
    )
    const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString()
    const pem = new X509Certificate(Buffer.from(certificate.rawData)).toString()
    return { pair: { certificate: pem, key }, subject: profile.subject, keys }
  }
}

/** 16 random bytes, positive and without a leading zero (RFC 5280 4.1.2.2; Go refuses negative ones). */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return bytes.toString('hex')
}
