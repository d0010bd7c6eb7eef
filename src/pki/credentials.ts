// What a TLS server presents: its certificate, the path to its root, and (only on request) its key.
import type { KeyObject } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { isError, type Problem, problem, type Where } from '../problems/index.ts'
import { type Certificate, certificateFacts, isIssuedBy } from './certificate.ts'
import { oversize } from './certificate-message.ts'
import {
  allPaths,
  type ChainPath,
  dedupe,
  findIssuers,
  findLeaf,
  findNearIssuer,
  type NearIssuer,
  pickPath,
  readCertificates,
  tooAlike,
} from './chain.ts'
import { checkExtras, checkPath } from './checks.ts'
import { fits, mismatch, readKey } from './key.ts'
import { decodeText } from './pem.ts'
import type { CertificateFacts } from './trust-plan.ts'
import { linksOf } from './verifier-checks.ts'

export interface TlsCredentials {
  /** The certificate file, for messages. */
  file: string
  leaf: Certificate
  path: ChainPath
  /** Paths without a root: the issuers of their last certificates are not in the file. */
  openPaths: ChainPath[]
  /** Certificates of the file that are on no path. */
  extras: Certificate[]
  /** Of the last certificate of a path without a root. */
  nearIssuer?: NearIssuer
  /** Only when a key was given. Printing it reveals no key bytes. */
  key?: KeyObject
}

export interface TlsCredentialFiles {
  certFile: string
  /** Read only when given; only a server needs the key. */
  keyFile?: string
}

export interface LoadOptions {
  /** Milliseconds since the epoch. */
  now: number
  readFile?: ReadFile
  /** The settings in the configuration that name the files. */
  where?: { cert?: Where; key?: Where }
}

export interface ParseOptions {
  now: number
  /** Names for messages. */
  file?: string
  keyFile?: string
}

export interface LoadedCredentials {
  /** Only when no problem is an error. */
  material?: TlsCredentials
  /** The same with errors, to look for more of them; undefined without a server certificate. */
  faulty?: TlsCredentials
  problems: Problem[]
}

/** Reads and checks the files. */
export function loadTlsCredentials(files: TlsCredentialFiles, options: LoadOptions): LoadedCredentials {
  const { readFile, where = {} } = options
  const cert = readTextFile(files.certFile, 'certificate file', readFile, where.cert)
  const key = files.keyFile ? readTextFile(files.keyFile, 'key file', readFile, where.key) : undefined
  const unread = [...cert.problems, ...(key?.problems ?? [])]
  if (cert.text === undefined) return { problems: unread }
  const judged = parseTlsCredentials(cert.text, key?.text, {
    now: options.now,
    file: files.certFile,
    keyFile: files.keyFile,
  })
  // Both settings may name one file; what is wrong with the key is at the key's then.
  const ofKey = (found: Problem) => namedBy(found, files.keyFile, where.key)
  const ofCert = (found: Problem) => namedBy(found, files.certFile, where.cert)
  const named = (found: Problem) =>
    found.code.startsWith('TLS_KEY_') ? ofCert(ofKey(found)) : ofKey(ofCert(found))
  const parsed = { ...judged, problems: judged.problems.map(named) }
  if (unread.length === 0) return parsed
  const { material, faulty = material } = parsed
  return { ...(faulty && { faulty }), problems: [...unread, ...parsed.problems] }
}

/** The problem, with the setting that names the file in which it is. */
export function namedBy(found: Problem, file: string | undefined, setting: Where | undefined): Problem {
  const { where } = found
  if (!setting || !where || where.file !== file || where.setting) return found
  // The lines of the configuration would hide the fault, which is in the named file.
  const { frame: _, ...named } = setting
  return { ...found, where: { ...where, setting: named } }
}

/** The same for texts that are already in memory. */
export function parseTlsCredentials(
  pemText: string,
  keyText: string | undefined,
  { now, file = 'certificate', keyFile = 'key' }: ParseOptions,
): LoadedCredentials {
  const read = readCertificates(pemText, file)
  const keys = keyText === undefined ? undefined : readKey(keyText, keyFile)
  const key = keys?.key
  const problems = [...read.problems, ...(keys?.problems ?? [])]
  const { unique, repeated } = dedupe(read.certificates)
  problems.push(...checkMessage(read.certificates, file))
  if (unique.length > maxJudged) return { problems }
  // Without a certificate that could not be read, what the others are for is a guess.
  if (read.problems.some(isError)) return { problems }
  const alike = tooAlike(unique, file)
  if (alike) return { problems: [...problems, alike] }
  const issuers = findIssuers(unique)
  const end = findLeaf(issuers)
  const keyed = key && unique.find((certificate) => fits(key, certificate))
  // The key of a CA of the chain does not make that CA the server's certificate.
  const isAbove = end && keyed && keyed !== end && allPaths(end, issuers).some(hasCertificate(keyed))
  const leaf = isAbove ? end : (keyed ?? end)
  if (!leaf) return { problems }
  if (keys && key && !fits(key, leaf)) problems.push(mismatch({ ...keys, key }, leaf, keyFile, keyed))

  const paths = allPaths(leaf, issuers)
  const path = pickPath(paths, (candidate) => checkPath(candidate, now).filter(isError).length)
  const nearIssuer = path.complete ? undefined : findNearIssuer(path.certificates.at(-1)!, unique)
  const beyond = nearIssuer ? allPaths(nearIssuer.issuer, issuers) : []
  const related = new Set([...paths, ...beyond].flatMap((candidate) => candidate.certificates))
  const extras = unique.filter((certificate) => !related.has(certificate))
  problems.push(
    ...checkPath(path, now),
    ...checkExtras(unique.filter((certificate) => !path.certificates.includes(certificate))),
  )
  problems.push(...checkOrder(unique, path), ...repeatedOrExtra(repeated, extras))
  const material = {
    file,
    leaf,
    path,
    openPaths: paths.filter((open) => !open.complete),
    extras,
    ...(nearIssuer && { nearIssuer }),
    ...(key && { key }),
  }
  return { [problems.some(isError) ? 'faulty' : 'material']: material, problems }
}

function hasCertificate(certificate: Certificate): (path: ChainPath) => boolean {
  return ({ certificates }) => certificates.includes(certificate)
}

/** The path is a single self-signed certificate. */
export function isLoneSelfSigned({ path }: TlsCredentials): boolean {
  return path.complete && path.certificates.length === 1
}

/** The path as people and trust plans see it, leaf first. */
export function pathFacts(path: ChainPath): CertificateFacts[] {
  return linksOf(path).map((link) => certificateFacts(link.certificate, link.role))
}

/**
 * The certificates and key for a TLS server: the path, with its root if the file has it, as Determined's master serves it.
 * A client that trusts on first use, such as `det`, can only store what it is served, and Python before 3.13 needs the root.
 */
export function servedPair({ key, path }: TlsCredentials): { cert: string; key: string } {
  if (!key) throw new TypeError('the credentials were loaded without their key')
  return {
    cert: path.certificates.map((certificate) => certificate.x509.toString()).join(''),
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function checkOrder(unique: Certificate[], path: ChainPath): Problem[] {
  const positions = path.certificates.map((certificate) => unique.indexOf(certificate))
  const inOrder =
    positions[0] === 0 &&
    positions.every((position, index) => index === 0 || position > positions[index - 1]!)
  if (inOrder) return []
  const what =
    positions[0] === 0
      ? 'is not followed by its issuers in order in'
      : 'is the server certificate, but not the first in'
  return [chainProblem('TLS_CHAIN_ORDER', path.certificates[0]!, what)]
}

function repeatedOrExtra(repeated: Certificate[], extras: Certificate[]): Problem[] {
  return [
    ...grouped('TLS_CHAIN_DUPLICATE', repeated, {
      one: 'is repeated in',
      many: 'certificates are repeated in',
    }),
    ...grouped('TLS_CHAIN_EXTRA', extras, {
      one: 'does not belong to the chain in',
      many: 'certificates do not belong to the chain in',
    }),
  ]
}

/** One warning for all of them: a whole CA bundle is a common mistake, and must not hide the other warnings. */
function grouped(
  code: 'TLS_CHAIN_DUPLICATE' | 'TLS_CHAIN_EXTRA',
  certificates: Certificate[],
  { one, many }: { one: string; many: string },
): Problem[] {
  const [first, ...others] = certificates
  if (!first) return []
  if (others.length === 0) return [chainProblem(code, first, one)]
  const some = certificates.slice(0, shownSubjects).map(({ subject }) => subject)
  const more = certificates.length - some.length
  const names = `${some.join('; ')}${more > 0 ? `; and ${more} more` : ''}`
  const message = `${certificates.length} ${many} ${first.file}: ${names}`
  const where = { file: first.file, line: first.line }
  return [problem(code, message, { where, details: { certificates: certificates.map(detailsOf) } })]
}

const shownSubjects = 3

function detailsOf({ subject, sha256, line }: Certificate) {
  return { subject, sha256, line }
}

function chainProblem(
  code: 'TLS_CHAIN_ORDER' | 'TLS_CHAIN_DUPLICATE' | 'TLS_CHAIN_EXTRA',
  certificate: Certificate,
  what: string,
): Problem {
  return problem(code, `${certificate.subject} ${what} ${certificate.file}`, {
    where: { file: certificate.file, line: certificate.line },
    details: { subject: certificate.subject, sha256: certificate.sha256 },
  })
}

/** Most masters and proxies send the whole file, so certificates outside the chain count too. */
function checkMessage(certificates: Certificate[], file: string): Problem[] {
  const why = oversize(certificates.map(({ x509 }) => x509.raw))
  return why ? [problem('TLS_CHAIN_TOO_LARGE', `${file} is too large: its ${why}`, { where: { file } })] : []
}

/** More than fit into a TLS message. Above this number, no chain is searched. */
const maxJudged = 200

// Reads certificate and key files, with one message for each kind of failure.

export type ReadFile = (file: string) => Uint8Array

/** Bytes. The largest CA bundles have about a quarter of this; certificates and keys a few thousand. */
const maxFile = 1_048_576

/** `what` describes the file in messages; `where` is the setting that names the file. */
export function readTextFile(
  file: string,
  what: string,
  readFile: ReadFile = readUpToLimit,
  where: Where = { file },
): { text?: string; problems: Problem[] } {
  try {
    const bytes = readFile(file)
    if (bytes.length <= maxFile) return { text: decodeText(bytes), problems: [] }
    const message = `the ${what} ${file} is larger than ${maxFile} bytes`
    return { problems: [problem('TLS_FILE_TOO_LARGE', message, { where, details: { file } })] }
  } catch (cause) {
    return { problems: [unreadable(file, what, cause, where)] }
  }
}

/** Reads at most one byte beyond the limit, so that a wrong file or /dev/zero cannot fill the memory. */
function readUpToLimit(file: string): Uint8Array {
  const opened = openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(maxFile + 1)
    let length = 0
    for (let read = 1; read > 0 && length < bytes.length; length += read)
      read = readSync(opened, bytes, length, bytes.length - length, null)
    return bytes.subarray(0, length)
  } finally {
    closeSync(opened)
  }
}

function unreadable(file: string, what: string, cause: unknown, where: Where): Problem {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const options = { where, cause, details: { file } }
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return problem('TLS_FILE_MISSING', `the ${what} ${file} does not exist`, options)
  const why =
    code === 'EISDIR'
      ? 'it is a directory'
      : code === 'EACCES' || code === 'EPERM'
        ? 'this user may not read it'
        : code || String(cause)
  return problem('TLS_FILE_UNREADABLE', `the ${what} ${file} cannot be read: ${why}`, options)
}

// Whether agents that trust one chain also trust a server that presents another.

/**
 * True when the new path contains a certificate of the old one, or one that a CA of the old path signed. A server
 * certificate, even a self-signed one, cannot issue another certificate.
 */
export function keepsTrust(before: TlsCredentials, after: TlsCredentials): boolean {
  const [, ...authorities] = before.path.certificates
  const known = new Set(before.path.certificates.map(({ sha256 }) => sha256))
  return after.path.certificates.some(
    (certificate) =>
      known.has(certificate.sha256) || authorities.some((authority) => isIssuedBy(certificate, authority)),
  )
}
