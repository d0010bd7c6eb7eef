// A master whose certificate no trusted CA vouches for: what it presents, and whether trusting that would be enough.

import { type DialTrust, dialOptions } from '../pki/dial-options.ts'
import { masterUrl } from '../pki/master-address.ts'
import type { DialOutcome } from '../pki/preflight-dial.ts'
import { dialMaster } from '../pki/preflight-dial.ts'
import { endsInRoot, type PresentedCertificate, presentedFacts } from '../pki/presented.ts'
import type { Target } from './target.ts'

export interface Stranger {
  url: string
  /** In its order; the first is the server's. */
  presented: [PresentedCertificate, ...PresentedCertificate[]]
  /** The same for the trust store, each once. */
  pem: string
  /** A root is among them, without which Python before 3.13 trusts none of them. */
  hasRoot: boolean
  /** Who signed it, in words that go on after `signed`. */
  signer: string
  /** What was stored for this master; empty when that cannot be read. */
  stored?: PresentedCertificate[]
}

export interface Look {
  /** What the master presents; undefined when it does not come so far. */
  presented?: PresentedCertificate[]
  /** Set when trusting what is presented would be enough. */
  stranger?: Stranger
  /** What would still be wrong with it: its name, its dates, its strength. */
  fault?: DialOutcome
}

/** Milliseconds for each look at a refused certificate. */
const dialMs = 5000

/** Dials without verifying, and then once more with nothing but what was presented. Nothing is sent but GET /info. */
export async function lookAt(target: Target): Promise<Look> {
  const { presented: sent } = await dialWith(target, { verify: false })
  const certificates = [...new Map(sent.map((x509) => [x509.fingerprint256, x509])).values()]
  const [leaf, ...others] = certificates.map(presentedFacts)
  if (!leaf) return {}
  const presented: Stranger['presented'] = [leaf, ...others]
  const pem = certificates.map(String).join('')
  const trial = await dialWith(target, { ca: pem, partialChain: true })
  // With a protocol agreed on, whatever failed came after TLS.
  if (trial.fault && trial.protocol === undefined) return { presented, fault: trial }
  const stored = target.trust?.memory?.stored?.map(({ x509 }) => presentedFacts(x509))
  const stranger = {
    url: masterUrl(target.address) + target.prefix,
    presented,
    pem,
    hasRoot: endsInRoot(presented),
    signer: signerOf(leaf, stored),
    ...(stored && { stored }),
  }
  return { presented, stranger }
}

function dialWith({ address, trust }: Target, how: Omit<DialTrust, 'name'>): Promise<DialOutcome> {
  const { host, port } = address
  const { name, options } = trust!
  const tls = { ...dialOptions({ name, ...how }), servername: options.servername }
  return dialMaster({
    host,
    port,
    authority: host,
    tls,
    budgetMs: dialMs,
    signal: AbortSignal.timeout(dialMs),
  })
}

function signerOf(leaf: PresentedCertificate, stored: PresentedCertificate[] = []): string {
  if (leaf.issuer === leaf.subject) return 'by itself'
  const namesake = stored.some(({ subject }) => subject === leaf.issuer)
  return namesake
    ? `by ${leaf.issuer}, which has the name of a CA that was stored, but another key`
    : `by ${leaf.issuer}`
}
