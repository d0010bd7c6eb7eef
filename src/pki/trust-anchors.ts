// tls.ca_file: the CAs (or the lone certificate) of a proxy that ends agents' TLS, to be embedded in place of our own chain.

import { isError, type Problem, problem, type Where } from '../problems/index.ts'
import { type Certificate, certificateFacts, isSelfSigned, isSignedBy } from './certificate.ts'
import {
  allPaths,
  type ChainPath,
  dedupe,
  findEnds,
  findIssuers,
  type Issuers,
  pickPath,
  readCertificates,
} from './chain.ts'
import { checkLinks, judgeKey } from './checks.ts'
import { type ReadFile, readTextFile } from './credentials.ts'
import type { CertificateFacts } from './trust-plan.ts'
import { checkForGo, type Link, linksOf } from './verifier-checks.ts'

export interface TrustAnchors {
  file: string
  /** In the order of the paths they are on, each once. */
  certificates: CertificateFacts[]
  /** The proxy's own certificate, when the file holds exactly one. */
  leaf?: Certificate
}

interface Judged {
  links: Link[]
  problems: Problem[]
}

/** `where` is the place in the configuration that names the file. */
export function loadTrustAnchors(
  file: string,
  { now, readFile, where }: { now: number; readFile?: ReadFile; where?: Where },
): { anchors?: TrustAnchors; problems: Problem[] } {
  const { text, problems } = readTextFile(file, 'CA file', readFile, where)
  return text === undefined ? { problems } : parseTrustAnchors(text, { now, file })
}

/** The same for a text that is at hand. There are anchors only when no problem is an error. */
export function parseTrustAnchors(
  text: string,
  { now, file = 'ca_file' }: { now: number; file?: string },
): { anchors?: TrustAnchors; problems: Problem[] } {
  const { certificates, problems } = readCertificates(text, file)
  const { unique } = dedupe(certificates)
  const issuers = findIssuers(unique)
  const judged = findEnds(issuers).map((end) => judge(end, issuers, now))
  const usable = judged.filter((end) => !end.problems.some(isError))
  // An old root beside its successor is how CAs are exchanged: one good end is enough.
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
  if (!path.complete)
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

// The public CAs Node carries with it. node:tls is loaded only when a chain does not reach a root by itself.

/** PEM texts of well-known roots. */
export type RootSource = () => readonly string[]

/** Mozilla's list as bundled with this Node; never the machine's own store, so that every machine decides alike. */
export function bundledRoots(): readonly string[] {
  return process.getBuiltinModule('node:tls').rootCertificates
}

/**
 * The well-known root that issued the first of these that has one, or is that certificate itself. Of several editions the
 * one that is valid longest. None that has expired, or whose key or form agents refuse. `now`: milliseconds since the epoch.
 */
export function findWellKnownRoot(
  certificates: readonly Certificate[],
  now: number,
  roots: RootSource = bundledRoots,
): Certificate | undefined {
  for (const certificate of certificates) {
    // Every well-known root is a CA; a lone certificate for a server needs no search.
    if (!certificate.fields.basicConstraints?.ca && certificate.subjectKey === certificate.issuerKey) continue
    // Parsing all costs ten times this search for the issuer's bytes, which a root holds as its own subject.
    const wanted = certificate.fields.issuerDer
    const [best] = roots()
      .filter((pem) => derOf(pem).includes(wanted))
      .flatMap((pem) => readCertificates(pem, 'the well-known roots').certificates)
      .filter((root) => isUsable(root, now) && isIssuedBy(certificate, root))
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

/** A private root may have the name of a public one: what counts is the key. */
function isIssuedBy(certificate: Certificate, root: Certificate): boolean {
  if (!root.fields.subjectDer.equals(certificate.fields.issuerDer)) return false
  try {
    if (isSelfSigned(certificate)) return root.x509.publicKey.equals(certificate.x509.publicKey)
    return isSignedBy(certificate, root)
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
