// A client certificate that no trusted CA has signed, to see whether a server accepts it.
import { KeyObject, webcrypto, X509Certificate } from 'node:crypto'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const hourMs = 3_600_000

/**
 * A certificate that differs from `own` in its keys only: same subject, same name of the issuer, valid for two hours around
 * `now` (milliseconds since the epoch). A server that does not verify signatures takes one for the other. PEM; the key is
 * PKCS #8.
 */
export async function foreignTwin(own: string, now: number): Promise<{ cert: string; key: string }> {
  // The first must load before the second.
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const twin = new x509.X509Certificate(own)
  const newKeys = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const [keys, signer] = (await Promise.all([newKeys(), newKeys()])) as webcrypto.CryptoKeyPair[]
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: twin.serialNumber,
      subject: twin.subjectName,
      issuer: twin.issuerName,
      notBefore: new Date(now - hourMs),
      notAfter: new Date(now + hourMs),
      publicKey: keys!.publicKey,
      signingKey: signer!.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      ],
    },
    webcrypto,
  )
  const key = KeyObject.from(keys!.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString()
  return { cert: new X509Certificate(Buffer.from(certificate.rawData)).toString(), key }
}
