// Finds the path from the server certificate to its root among the certificates of a file, in any order.

import { type Problem, problem } from '../problems/index.ts'
import { type Certificate, isSignedBy, keyIdMismatch, readCertificate } from './certificate.ts'
import { noCertificate, notPem } from './file-kind.ts'
import { type PemBlock, readPem } from './pem.ts'

export interface ChainPath {
  /** The server certificate first, each one signed by the next. */
  certificates: Certificate[]
  /** The last one is self-signed. */
  complete: boolean
}

/** Cross-signing can grow the number of paths exponentially; ordinary files have far fewer. */
const maxPaths = 64

/** Each certificate once, in order of first appearance, and the repetitions. */
export function dedupe(certificates: Certificate[]): { unique: Certificate[]; repeated: Certificate[] } {
  const seen = new Set<string>()
  const unique: Certificate[] = []
  const repeated: Certificate[] = []
  for (const certificate of certificates) {
    if (seen.has(certificate.sha256)) repeated.push(certificate)
    else unique.push(certificate)
    seen.add(certificate.sha256)
  }
  return { unique, repeated }
}

/** For each certificate, the certificates that issued it (isIssuedBy). A self-signed one is its own issuer. */
export type Issuers = Map<Certificate, Certificate[]>

export function findIssuers(certificates: Certificate[]): Issuers {
  // Whether an issuer may sign (CA, keyUsage) is checked later, so that the message is not "issuer missing".
  const keys = keysOf(certificates)
  const issuersOf = (certificate: Certificate, candidates: Certificate[]) => {
    // The signature is verified once for each key: a CA may have many certificates.
    const answers = new Map<string, boolean>()
    return candidates.filter((candidate) => {
      const key = keys.get(candidate)!
      const answer = answers.get(key) ?? isSignedBy(certificate, candidate)
      answers.set(key, answer)
      return answer
    })
  }
  const candidates = findCandidates(certificates)
  return new Map([...candidates].map(([certificate, among]) => [certificate, issuersOf(certificate, among)]))
}

/** For each certificate, those with the name and the key identifier of its issuer. */
function findCandidates(certificates: Certificate[]): Issuers {
  const named = Map.groupBy(certificates, ({ subjectKey }) => subjectKey)
  const candidatesOf = (certificate: Certificate) =>
    (named.get(certificate.issuerKey) ?? []).filter((issuer) => !keyIdMismatch(certificate, issuer))
  return new Map(certificates.map((certificate) => [certificate, candidatesOf(certificate)]))
}

/** Equal for equal public keys. */
function keysOf(certificates: Certificate[]): Map<Certificate, string> {
  const hex = (bytes: Buffer | undefined) => bytes?.toString('hex')
  const keyOf = ({ fields: { publicKey } }: Certificate) =>
    `${publicKey.oid} ${hex(publicKey.parameters?.bytes)} ${hex(publicKey.bytes)}`
  return new Map(certificates.map((certificate) => [certificate, keyOf(certificate)]))
}

/** Signatures that are verified beyond one for each certificate. */
const maxExtraSignatures = 500

/**
 * The problem of a file whose issuers cannot be found in reasonable time: many certificates have the same name, different
 * keys and no key identifiers. Undefined for every ordinary file.
 */
export function tooAlike(certificates: Certificate[], file: string): Problem | undefined {
  const keys = keysOf(certificates)
  const named = [...Map.groupBy(certificates, ({ subjectKey }) => subjectKey).values()]
  if (named.every((same) => new Set(same.map((one) => keys.get(one))).size === 1)) return undefined
  let extra = 0
  for (const candidates of findCandidates(certificates).values())
    extra += Math.max(0, new Set(candidates.map((candidate) => keys.get(candidate))).size - 1)
  if (extra <= maxExtraSignatures) return undefined
  const message = `${file} has too many certificates with the same name, different keys and no key identifiers`
  return problem('TLS_CHAIN_TOO_LARGE', message, { where: { file } })
}

/** A certificate that has the issuer's name and key, but not the identity that the authority key identifier names. */
export interface NearIssuer {
  issuer: Certificate
  /** What the identifier names. */
  mismatch: string
}

/** Typical after a CA was renewed under the same key (easy-rsa). The certificate itself may be its own near issuer. */
export function findNearIssuer(
  certificate: Certificate,
  candidates: readonly Certificate[],
): NearIssuer | undefined {
  for (const issuer of candidates) {
    if (issuer.subjectKey !== certificate.issuerKey || !isSignedBy(certificate, issuer)) continue
    const mismatch = keyIdMismatch(certificate, issuer)
    if (mismatch) return { issuer, mismatch }
  }
  return undefined
}

/** The sentence about it, without where it was found. */
export function describeNearIssuer(certificate: Certificate, { issuer, mismatch }: NearIssuer): string {
  const signer = issuer === certificate ? 'its own key' : `the key of ${issuer.subject}`
  return (
    `${certificate.subject} was signed with ${signer}, but its authority key identifier names ${mismatch}, ` +
    'so that OpenSSL, Python and Node do not take that certificate for its issuer'
  )
}

export function nearIssuerProblem(certificate: Certificate, near: NearIssuer): Problem {
  const { file, line, subject } = certificate
  return problem('TLS_KEY_IDENTIFIER', describeNearIssuer(certificate, near), {
    where: { file, line },
    details: { subject, issuer: near.issuer.subject, sha256: near.issuer.sha256 },
  })
}

/** Certificates that signed no other certificate, in the order of the file. */
export function findEnds(issuers: Issuers): Certificate[] {
  const above = new Set(
    [...issuers].flatMap(([certificate, by]) => by.filter((issuer) => issuer !== certificate)),
  )
  return [...issuers.keys()].filter((certificate) => !above.has(certificate))
}

/** The server certificate when no key identifies it: the first one that signed no other; a CA only if there is no other. */
export function findLeaf(issuers: Issuers): Certificate | undefined {
  const ends = findEnds(issuers)
  return (
    ends.find((certificate) => !certificate.fields.basicConstraints?.ca) ?? ends[0] ?? [...issuers.keys()][0]
  )
}

/** Every path from the leaf upwards, depth first. Returns at least one. */
export function allPaths(leaf: Certificate, issuers: Issuers): ChainPath[] {
  const paths: ChainPath[] = []
  const walk = (path: Certificate[]): void => {
    if (paths.length >= maxPaths) return
    const top = path.at(-1)!
    const above = issuers.get(top) ?? []
    if (above.includes(top)) {
      paths.push({ certificates: path, complete: true })
      return
    }
    const next = above.filter((issuer) => !path.includes(issuer))
    if (next.length === 0) paths.push({ certificates: path, complete: false })
    for (const issuer of next) walk([...path, issuer])
  }
  walk([leaf])
  return paths
}

/** The path to use: complete before incomplete, then the one with the fewest errors, then the shortest. */
export function pickPath(paths: ChainPath[], errorsOf: (path: ChainPath) => number): ChainPath {
  if (paths.length === 1) return paths[0]!
  const ranked = paths.map((path) => ({ path, errors: errorsOf(path) }))
  ranked.sort(
    (a, b) =>
      Number(b.path.complete) - Number(a.path.complete) ||
      a.errors - b.errors ||
      a.path.certificates.length - b.path.certificates.length,
  )
  return ranked[0]!.path
}

// Reads the certificates of one PEM text, and reports faults of its format.

const certificateLabels = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE']

/** Certificates in the file's order, repetitions included. `file` is only for messages. */
export function readCertificates(
  text: string,
  file: string,
): { certificates: Certificate[]; problems: Problem[] } {
  const { blocks, untidy } = readPem(text)
  if (blocks.length === 0) return { certificates: [], problems: [notPem(text, file)] }
  const certificateBlocks = blocks.filter((block) => certificateLabels.includes(block.label))
  const keys = blocks.filter((block) => block.label.endsWith('PRIVATE KEY'))
  if (certificateBlocks.length === 0) return { certificates: [], problems: [noCertificate(blocks, file)] }
  const read = certificateBlocks.map((block) => readCertificate(block, file))
  return {
    certificates: read.flatMap(({ certificate }) => certificate ?? []),
    problems: [
      ...someOf(
        read.flatMap(({ problems }) => problems),
        file,
      ),
      ...mendedProblems(untidy, certificateBlocks, file),
      ...keys.slice(0, 1).map((key) =>
        problem('TLS_KEY_IN_CERT_FILE', `${file} also contains a private key (block ${key.number})`, {
          where: { file, line: key.line },
        }),
      ),
    ],
  }
}

/** Limits the problems: for a file that is no certificate list at all, the first few are enough. */
function someOf(problems: Problem[], file: string): Problem[] {
  const more = problems.length - shownBroken
  if (more <= 0) return problems
  const rest = problem('TLS_PEM_BROKEN', `${more} more blocks of ${file} are not usable`, {
    where: problems[shownBroken]!.where ?? { file },
  })
  return [...problems.slice(0, shownBroken), rest]
}

const shownBroken = 20

/** One warning for everything that was repaired while reading. */
export function mendedProblems(untidy: string[], blocks: PemBlock[], file: string): Problem[] {
  const mended = [...new Set([...untidy, ...blocks.flatMap((block) => block.untidy)])]
  if (mended.length === 0) return []
  const line = blocks.find((block) => block.untidy.length > 0)?.line ?? 1
  const message = `${file} has ${mended.join(', ')}, which some TLS libraries cannot read`
  return [problem('TLS_PEM_MENDED', message, { where: { file, line }, details: { mended } })]
}
