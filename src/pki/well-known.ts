// The public CAs Node carries with it. node:tls is loaded only when a chain does not reach a root by itself.
import { X509Certificate } from 'node:crypto'
import { type Certificate, isSelfSigned } from './certificate.ts'

/** PEM texts of well-known roots. */
export type RootSource = () => readonly string[]

/** Mozilla's list as bundled with this Node; never the machine's own store, so that every machine decides alike. */
export function bundledRoots(): readonly string[] {
  return process.getBuiltinModule('node:tls').rootCertificates
}

/** The well-known root that issued one of these, or is one of them; `now` in milliseconds since the epoch. */
export function findWellKnownRoot(
  certificates: Certificate[],
  now: number,
  roots: RootSource = bundledRoots,
): X509Certificate | undefined {
  for (const certificate of certificates) {
    // Parsing all costs ten times this search for the issuer's bytes, which a root holds as its own subject.
    const wanted = certificate.fields.issuerDer
    for (const pem of roots()) {
      if (!derOf(pem).includes(wanted)) continue
      const root = new X509Certificate(pem)
      if (root.validToDate.getTime() < now) continue
      if (isIssuedBy(certificate, root)) return root
    }
  }
  return undefined
}

function isIssuedBy(certificate: Certificate, root: X509Certificate): boolean {
  if (isSelfSigned(certificate)) return root.publicKey.equals(certificate.x509.publicKey)
  return root.subject === certificate.x509.issuer && certificate.x509.verify(root.publicKey)
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
}
