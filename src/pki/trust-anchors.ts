// tls.ca_file: the CAs (or the single certificate) of a proxy that terminates agents' TLS; embedded instead of our chain.

import { isError, type Problem, problem, type Where } from '../problems/index.ts'
import { type Certificate, certificateFacts, isIssuedBy, isSelfSigned } from './certificate.ts'
import {
  allPaths,
  type ChainPath,
  dedupe,
  findEnds,
  findIssuers,
  findNearIssuer,
  type Issuers,
  nearIssuerProblem,
  pickPath,
  readCertificates,
  tooAlike,
} from './chain.ts'
import { checkLinks, judgeKey } from './checks.ts'
import { namedBy, type ReadFile, readTextFile } from './credentials.ts'
import type { CertificateFacts } from './trust-plan.ts'
import { checkForGo, type Link, linksOf } from './verifier-checks.ts'

export interface TrustAnchors {
  file: string
  /** In the order of their paths, each once. */
  certificates: CertificateFacts[]
  /** The proxy's own certificate, if the file contains exactly one. */
  leaf?: Certificate
}

interface Judged {
  links: Link[]
  problems: Problem[]
}

/** `where` is the setting that names the file. */
export function loadTrustAnchors(
  file: string,
  { now, readFile, where }: { now: number; readFile?: ReadFile; where?: Where },
): { anchors?: TrustAnchors; problems: Problem[] } {
  const { text, problems } = readTextFile(file, 'CA file', readFile, where)
  if (text === undefined) return { problems }
  const read = parseTrustAnchors(text, { now, file })
  return { ...read, problems: read.problems.map((found) => namedBy(found, file, where)) }
}

/** The same for a text already in memory. `anchors` is set only when no problem is an error. */
export function parseTrustAnchors(
  text: string,
  { now, file = 'ca_file' }: { now: number; file?: string },
): { anchors?: TrustAnchors; problems: Problem[] } {
  const { certificates, problems } = readCertificates(text, file)
  const { unique } = dedupe(certificates)
  const alike = tooAlike(unique, file)
  if (alike) return { problems: [...problems, alike] }
  const issuers = findIssuers(unique)
  const judged = findEnds(issuers).map((end) => judge(end, issuers, now))
  const usable = judged.filter((end) => !end.problems.some(isError))
  // During a change of CA the file contains the old and the new root: one usable path is enough.
  for (const end of judged)
    problems.push(...(usable.length === 0 || usable.includes(end) ? end.problems : leftOut(end, file)))
  if (problems.some(isError) || usable.length === 0) return { problems }
  const links = usable.flatMap((end) => end.links)
  const leaves = links.filter((link) => link.role === 'leaf')
  const facts = links.map((link) => certificateFacts(link.certificate, link.role))
  const once = facts.filter(
    (fact, index) => facts.findIndex((other) => other.sha256 === fact.sha256) === index,
  )
  return {
    anchors: { file, certificates: once, ...(leaves.length === 1 && { leaf: leaves[0]!.certificate }) },
    problems,
  }
}

function judge(end: Certificate, issuers: Issuers, now: number): Judged {
  const start = isServerCertificate(end) ? 'leaf' : 'ca'
  const problemsOf = (path: ChainPath) => checkLinks(linksOf(path, start), now)
  const path = pickPath(allPaths(end, issuers), (candidate) => problemsOf(candidate).filter(isError).length)
  const problems = problemsOf(path)
  const top = path.certificates.at(-1)!
  const near = path.complete ? undefined : findNearIssuer(top, [...issuers.keys()])
  if (near) problems.push(nearIssuerProblem(top, near))
  else if (!path.complete)
    problems.push(
      problem(
        'TLS_ISSUER_MISSING',
        `${top.subject} was issued by ${top.issuer}, which is not in ${top.file}`,
        {
          where: { file: top.file, line: top.line },
          details: { missing: top.issuer },
        },
      ),
    )
  return { links: linksOf(path, start), problems }
}

function isServerCertificate({ fields }: Certificate): boolean {
  return (
    !fields.basicConstraints?.ca && fields.names.some((name) => name.kind === 'dns' || name.kind === 'ip')
  )
}

function leftOut({ links, problems }: Judged, file: string): Problem[] {
  const { certificate } = links[0]!
  const why = problems.filter(isError).map((found) => found.code)
  return [
    problem('TLS_CA_LEFT_OUT', `${certificate.subject} of ${file} is left out: ${why.join(', ')}`, {
      where: { file, line: certificate.line },
      details: { subject: certificate.subject, sha256: certificate.sha256, codes: why },
    }),
  ]
}

// The public CAs that Node ships with. node:tls is loaded only when a chain does not include its root.

/** PEM texts of well-known roots. */
export type RootSource = () => readonly string[]

/** Mozilla's list as bundled with Node, not this machine's own store, so that every machine decides alike. */
export function bundledRoots(): readonly string[] {
  return process.getBuiltinModule('node:tls').rootCertificates
}

/**
 * The well-known root that issued the first of these certificates that has one, or is that certificate itself. Of several
 * versions of a root, the one valid longest. Skips roots that are expired or that agents refuse. `now`: ms since the epoch.
 */
export function findWellKnownRoot(
  certificates: readonly Certificate[],
  now: number,
  roots: RootSource = bundledRoots,
): Certificate | undefined {
  for (const certificate of certificates) {
    // Every well-known root is a CA, so a self-signed server certificate needs no search.
    if (!certificate.fields.basicConstraints?.ca && certificate.subjectKey === certificate.issuerKey) continue
    // Searching for the issuer's bytes, a root's own subject, is ten times faster than parsing all roots.
    const wanted = certificate.fields.issuerDer
    const [best] = roots()
      .filter((pem) => derOf(pem).includes(wanted))
      .flatMap((pem) => readCertificates(pem, 'the well-known roots').certificates)
      .filter((root) => isUsable(root, now) && isUnderRoot(certificate, root))
      .sort((a, b) => b.x509.validToDate.getTime() - a.x509.validToDate.getTime())
    if (best) return best
  }
  return undefined
}

function isUsable(root: Certificate, now: number): boolean {
  const { validFromDate, validToDate } = root.x509
  if (now < validFromDate.getTime() || now > validToDate.getTime()) return false
  return judgeKey(root) === undefined && checkForGo([root]).length === 0
}

/** Compares the key too, because a private root may have the name of a public one. */
function isUnderRoot(certificate: Certificate, root: Certificate): boolean {
  if (!root.fields.subjectDer.equals(certificate.fields.issuerDer)) return false
  try {
    if (isSelfSigned(certificate)) return root.x509.publicKey.equals(certificate.x509.publicKey)
    return isIssuedBy(certificate, root)
  } catch {
    // A key or algorithm this OpenSSL does not know.
    return false
  }
}

/** The decoder skips line ends. */
function derOf(pem: string): Buffer {
  const start = pem.indexOf('-----\n') + 6
  return Buffer.from(pem.slice(start, pem.indexOf('-----END', start)), 'base64')
}
