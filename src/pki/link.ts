// One certificate at its place in a path, and how a problem with it is worded.

import type { ProblemCode } from '../problems/codes.ts'
import { type Problem, type ProblemOptions, problem } from '../problems/problem.ts'
import type { Certificate } from './certificate.ts'
import type { ChainPath } from './chain.ts'
import type { CertificateRole } from './trust-plan.ts'

export interface Link {
  certificate: Certificate
  role: CertificateRole
  /** CAs between this one and the server certificate. */
  below: number
  /** Its own key signed it: nobody checks that signature. */
  selfSigned: boolean
}

/** A path that starts at a server certificate, or at a CA of an anchor file (`start: 'ca'`). */
export function linksOf(path: ChainPath, start: 'leaf' | 'ca' = 'leaf'): Link[] {
  const last = path.certificates.length - 1
  return path.certificates.map((certificate, index) => {
    const selfSigned = path.complete && index === last
    const leaf = start === 'leaf' && index === 0
    const below = Math.max(start === 'leaf' ? index - 1 : index, 0)
    return { certificate, below, selfSigned, role: leaf ? 'leaf' : selfSigned ? 'root' : 'intermediate' }
  })
}

const titles: Record<CertificateRole, string> = {
  leaf: 'the server certificate',
  intermediate: 'the intermediate',
  root: 'the root',
}

/** `fault(link, 'TLS_EXPIRED', 'expired on …')` → "the root CN=Example expired on …", placed in the file. */
export function fault(link: Link, code: ProblemCode, what: string, options: ProblemOptions = {}): Problem {
  return faultIn(link.certificate, titles[link.role], code, what, options)
}

/** The same for a certificate outside the path. */
export function faultIn(
  certificate: Certificate,
  title: string,
  code: ProblemCode,
  what: string,
  options: ProblemOptions = {},
): Problem {
  return problem(code, `${title} ${certificate.subject} ${what}`, {
    where: { file: certificate.file, line: certificate.line },
    ...options,
    details: { subject: certificate.subject, sha256: certificate.sha256, ...options.details },
  })
}
