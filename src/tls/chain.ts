// From the certificates of a file, in whatever order, to the path from the server certificate to its root.
import { type Certificate, isSelfSigned, isSignedBy } from './certificate.ts'

export interface ChainPath {
  /** The server certificate first, each one signed by the next. */
  certificates: Certificate[]
  /** The last one is self-signed. */
  complete: boolean
}

/** Cross-signing grows the number of paths exponentially; no honest file comes near this many. */
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

/** Certificates whose name and key signed this one. */
export function parentsOf(certificate: Certificate, all: Certificate[]): Certificate[] {
  // Whether a parent may sign (CA, keyUsage) is judged later, so that the message is not "issuer missing".
  return all.filter(
    (parent) =>
      parent !== certificate &&
      parent.subjectKey === certificate.issuerKey &&
      isSignedBy(certificate, parent),
  )
}

/** The certificate the server presents, when no key tells: the first that signed no other one, a CA only if none else. */
export function findLeaf(certificates: Certificate[]): Certificate | undefined {
  const parents = new Set(certificates.flatMap((certificate) => parentsOf(certificate, certificates)))
  const ends = certificates.filter((certificate) => !parents.has(certificate))
  const servers = ends.filter((certificate) => !certificate.fields.basicConstraints?.ca)
  return servers[0] ?? ends[0] ?? certificates[0]
}

/** Every path from the leaf upwards, depth first. At least one. */
export function allPaths(leaf: Certificate, certificates: Certificate[]): ChainPath[] {
  const paths: ChainPath[] = []
  const parents = new Map<Certificate, Certificate[]>()
  const known = (certificate: Certificate) => {
    let found = parents.get(certificate)
    if (!found) {
      found = parentsOf(certificate, certificates)
      parents.set(certificate, found)
    }
    return found
  }
  const walk = (path: Certificate[]): void => {
    if (paths.length >= maxPaths) return
    const top = path.at(-1)!
    if (isSelfSigned(top)) {
      paths.push({ certificates: path, complete: true })
      return
    }
    const next = known(top).filter((parent) => !path.includes(parent))
    if (next.length === 0) paths.push({ certificates: path, complete: false })
    for (const parent of next) walk([...path, parent])
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
