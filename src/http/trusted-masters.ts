// The trust store as people and programs look at it.
import { readCertificates } from '../pki/certificate-file.ts'
import { endsInRoot, type PresentedCertificate, presentedFacts } from '../pki/presented.ts'

export interface TrustedMaster {
  url: string
  /** The server's first; empty when what is stored cannot be read. */
  certificates: PresentedCertificate[]
  /** Python before 3.13 needs the root. */
  hasRoot: boolean
}

/** In the order of their URLs. */
export function trustedMasters(entries: Record<string, string>): TrustedMaster[] {
  return Object.entries(entries)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([url, pem]) => {
      const certificates = readCertificates(pem, url).certificates.map(({ x509 }) => presentedFacts(x509))
      return { url, certificates, hasRoot: endsInRoot(certificates) }
    })
}
