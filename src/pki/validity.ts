// Dates: every certificate of the path has to be valid now; all verifiers agree on that.
import type { Problem } from '../problems/problem.ts'
import { fault, type Link } from './link.ts'

const day = 86_400_000

/** Days before its end from which a certificate is warned about. */
export const expiryWarningDays = 30

export function checkValidity(links: Link[], now: number): Problem[] {
  return links.flatMap((link) => {
    const { validFromDate: from, validToDate: to } = link.certificate.x509
    const details = { notBefore: from.toISOString(), notAfter: to.toISOString() }
    if (now < from.getTime())
      return [fault(link, 'TLS_NOT_YET_VALID', `is valid only from ${details.notBefore}`, { details })]
    if (now > to.getTime()) return [fault(link, 'TLS_EXPIRED', `expired on ${details.notAfter}`, { details })]
    const left = to.getTime() - now
    if (left > expiryWarningDays * day) return []
    const when = left < day ? 'in less than a day' : `in ${Math.floor(left / day)} days`
    return [fault(link, 'TLS_EXPIRES_SOON', `expires ${when}, on ${details.notAfter}`, { details })]
  })
}
