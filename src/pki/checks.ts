// Everything that can be judged about a path from its bytes and the time, before anything dials.
import type { Problem } from '../problems/problem.ts'
import type { Certificate } from './certificate.ts'
import type { ChainPath } from './chain.ts'
import { checkCritical } from './critical.ts'
import { checkKeys, judgeKey } from './keys.ts'
import { faultIn, type Link, linksOf } from './link.ts'
import { checkNameConstraints } from './name-constraints.ts'
import { checkSignatures } from './signatures.ts'
import { checkStrict } from './strict.ts'
import { checkUsage } from './usage.ts'
import { checkValidity } from './validity.ts'
import { checkForGo, checkNameEncoding } from './verifier-checks.ts'

/** Errors and warnings of a path that starts at a server certificate. `now` is in milliseconds since the epoch. */
export function checkPath(path: ChainPath, now: number): Problem[] {
  return checkLinks(linksOf(path), now)
}

/** The same for a path of any start. */
export function checkLinks(links: Link[], now: number): Problem[] {
  const problems = [
    ...checkValidity(links, now),
    ...checkKeys(links),
    ...checkSignatures(links),
    ...checkUsage(links),
    ...checkNameConstraints(links),
    ...checkCritical(links),
    ...checkForGo(links.map((link) => link.certificate)),
    ...checkNameEncoding(links),
  ]
  // What is refused by everybody needs no word about what the newest Python says.
  const strict = problems.some((problem) => problem.severity === 'error') ? [] : checkStrict(links)
  return [...problems, ...strict]
}

/** Certificates beside the path matter only where a server that sends the whole file would be refused for them. */
export function checkExtras(extras: Certificate[]): Problem[] {
  const unreadable = extras.flatMap((certificate) => {
    const judged = judgeKey(certificate)
    return judged?.code === 'TLS_KEY_TYPE'
      ? [faultIn(certificate, 'the certificate', judged.code, `beside the chain ${judged.what}`)]
      : []
  })
  return [...checkForGo(extras), ...unreadable]
}
