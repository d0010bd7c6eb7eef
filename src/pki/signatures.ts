// Signature algorithms. A root's own signature is checked by nobody; every other one has to suit OpenSSL and Go.
import type { Problem } from '../problems/problem.ts'
import type { CertificateFields } from './certificate-fields.ts'
import { fault, type Link } from './link.ts'
import { goodSignatures, hashOids, weakSignatures } from './oids.ts'
import type { PssParameters } from './pss.ts'

interface Judgement {
  name: string
  verdict: 'good' | 'weak' | 'unknown'
}

export function checkSignatures(links: Link[]): Problem[] {
  return links.flatMap((link) => {
    if (link.selfSigned) return []
    const { name, verdict } = judgeSignature(link.certificate.fields.signature)
    if (verdict === 'weak') return [fault(link, 'TLS_WEAK_SIGNATURE', `is signed with ${name}`)]
    if (verdict === 'unknown')
      return [fault(link, 'TLS_SIGNATURE_TYPE', `is signed with ${name}, which Go agents cannot verify`)]
    return []
  })
}

function judgeSignature({ oid, pss }: CertificateFields['signature']): Judgement {
  if (pss) return judgePss(pss)
  const weak = weakSignatures[oid]
  if (weak) return { name: weak, verdict: 'weak' }
  const good = goodSignatures[oid]
  return { name: good ?? `the algorithm ${oid}`, verdict: good ? 'good' : 'unknown' }
}

/** Go takes RSA-PSS only with SHA-2, MGF1 of the same hash and a salt of the hash's size. */
function judgePss({ hash, mgfHash, saltLength }: PssParameters): Judgement {
  const known = hashOids[hash]
  const name = `RSA-PSS with ${known?.name ?? hash}`
  if (known?.name === 'SHA-1') return { name, verdict: 'weak' }
  if (!known || known.size < 32) return { name, verdict: 'unknown' }
  if (mgfHash !== hash) return { name: `${name} and another hash in its mask`, verdict: 'unknown' }
  if (saltLength !== known.size)
    return { name: `${name} and a salt of ${saltLength} bytes`, verdict: 'unknown' }
  return { name, verdict: 'good' }
}
