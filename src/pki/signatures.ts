// Which signature algorithms of certificates clients accept.
import type { CertificateFields } from './certificate.ts'
import { goodSignatures, hashOids, type PssParameters, weakSignatures } from './der.ts'

interface Judgement {
  name: string
  /**
   * `weak`: OpenSSL refuses it. `unknown`: some client already refuses a server with such a certificate. `unverified`: Go
   * cannot verify it, which matters only for a certificate that is not one of its anchors.
   */
  verdict: 'good' | 'weak' | 'unknown' | 'unverified'
}

export function judgeSignature({ oid, pss }: CertificateFields['signature']): Judgement {
  if (pss) return judgePss(pss)
  const weak = weakSignatures[oid]
  if (weak) return { name: weak, verdict: 'weak' }
  const good = goodSignatures[oid]
  return { name: good ?? `the algorithm ${oid}`, verdict: good ? 'good' : 'unknown' }
}

/** Go verifies RSA-PSS only with SHA-2, MGF1 of the same hash and a salt of the hash's size. */
function judgePss({ hash, mgfHash, saltLength }: PssParameters): Judgement {
  const known = hashOids[hash]
  const name = `RSA-PSS with ${known?.name ?? hash}`
  if (known?.name === 'SHA-1') return { name, verdict: 'weak' }
  if (!known || known.size < 32) return { name, verdict: 'unknown' }
  if (mgfHash !== hash) return { name: `${name} and another hash in its mask`, verdict: 'unknown' }
  if (saltLength !== known.size)
    return { name: `${name} and a salt of ${saltLength} bytes`, verdict: 'unverified' }
  return { name, verdict: 'good' }
}
