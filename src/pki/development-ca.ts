// Creates a private CA and a server certificate for users who have none: root, intermediate, leaf, all ECDSA P-256.
import { randomBytes } from 'node:crypto'
import {
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { ipVersion } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import {
  type CaKey,
  type CertificateUse,
  certificateSkew,
  newKey,
  type SubjectParts,
  writeCertificate,
} from './certificate-writer.ts'
import { canonicalName, isHostname } from './names.ts'

/** Certificate and PKCS #8 private key, both PEM with LF line ends. */
export interface DevelopmentPair {
  certificate: string
  key: string
}

export interface DevelopmentChain {
  root: DevelopmentPair
  intermediate: DevelopmentPair
  leaf: DevelopmentPair
  /** Leaf, intermediate and root, for `security.tls.cert`. The leaf's key is not included. */
  chain: string
}

export interface DevelopmentRequest {
  /** DNS names of the leaf; wildcards and IDN are allowed. */
  names: string[]
  ips: string[]
  /** Lifetime of the leaf, 1 to 36,500. The CAs are valid for ten years, or as long as the leaf if that is longer. */
  days: number
  /** Milliseconds since the epoch. */
  now: number
}

const dayMs = 86_400_000
const caDays = 3650
const maxDays = 36_500
/** Upper bound of a common name (RFC 5280 appendix A.1, ub-common-name). */
const maxCommonName = 64

interface Profile {
  subject: SubjectParts
  days: number
  use: CertificateUse
}

interface Issued {
  pair: DevelopmentPair
  key: CaKey
}

/** Creates new keys and certificates at every call. Throws a ProvisionError for an invalid request. */
export async function createDevelopmentChain(request: DevelopmentRequest): Promise<DevelopmentChain> {
  const names = developmentNames(request.names, request.ips)
  if (!(request.days >= 1 && request.days <= maxDays))
    throw new ProvisionError(
      problem('CERTS_REQUEST_INVALID', `a lifetime of ${request.days} days is out of range`),
    )
  const issue = issuer(request.now)

  // A CA of the same name with another key makes verifiers try the wrong key and report a bad signature.
  const id = randomBytes(3).toString('hex')
  const caLife = Math.max(caDays, request.days)
  const root = await issue({ ...caProfile(`Development root CA ${id}`, 1), days: caLife })
  const intermediate = await issue({ ...caProfile(`Development CA ${id}`, 0), days: caLife }, root)
  const leaf = await issue({ ...leafProfile(names), days: request.days }, intermediate)
  return {
    root: root.pair,
    intermediate: intermediate.pair,
    leaf: leaf.pair,
    chain: leaf.pair.certificate + intermediate.pair.certificate + root.pair.certificate,
  }
}

function caProfile(commonName: string, pathLength: number): Omit<Profile, 'days'> {
  return {
    subject: [{ O: ['Agent provisioner'] }, { CN: [commonName] }],
    use: { ca: pathLength },
  }
}

function leafProfile(names: DevelopmentNames): Omit<Profile, 'days'> {
  const first = names.dns[0] ?? names.ips[0]!
  const alternatives = [
    ...names.dns.map((value) => ({ type: 'dns' as const, value })),
    ...names.ips.map((value) => ({ type: 'ip' as const, value })),
  ]
  return {
    subject: [
      { O: ['Agent provisioner'] },
      { CN: [first.length <= maxCommonName ? first : 'Development server'] },
    ],
    use: { purpose: 'serverAuth', names: alternatives },
  }
}

/** Issues a certificate signed by the given issuer, or self-signed without one. */
function issuer(now: number) {
  const start = Math.floor(now / 1000) * 1000
  return async ({ subject, days, use }: Profile, by?: Issued): Promise<Issued> => {
    const { pem, key } = await newKey()
    const validity = { notBefore: start - certificateSkew, notAfter: start + days * dayMs }
    const request = { subject, publicKey: key.publicKey, ...validity, use }
    const signer = by ? { certificate: by.pair.certificate, key: by.key } : { own: key }
    return { pair: { certificate: await writeCertificate(request, signer), key: pem }, key }
  }
}

// Writes the files of a development CA: all of them or none, and never over an existing file.

export interface DevelopmentFiles {
  /** Leaf, intermediate and root: for `security.tls.cert`. */
  chain: string
  /** Key of the leaf: for `security.tls.key`. */
  serverKey: string
  /** Only the leaf. */
  serverCertificate: string
  intermediateCertificate: string
  intermediateKey: string
  /** For clients that should trust everything this CA issues. */
  rootCertificate: string
  rootKey: string
}

/** The paths of the files of a development CA in a folder. */
export function developmentFiles(directory: string): DevelopmentFiles {
  return {
    chain: join(directory, 'chain.crt'),
    serverKey: join(directory, 'server.key'),
    serverCertificate: join(directory, 'server.crt'),
    intermediateCertificate: join(directory, 'intermediate.crt'),
    intermediateKey: join(directory, 'intermediate.key'),
    rootCertificate: join(directory, 'root.crt'),
    rootKey: join(directory, 'root.key'),
  }
}

/**
 * Writes the seven files, keys readable by their owner only (0600). Creates the folder (0700) if it does not exist.
 * Throws a ProvisionError: CERTS_EXIST when a file exists already, CERTS_NOT_WRITTEN when writing fails.
 */
export function writeDevelopmentChain(directory: string, chain: DevelopmentChain): DevelopmentFiles {
  const files = developmentFiles(directory)
  const contents: [path: string, text: string, mode: number][] = [
    [files.rootKey, chain.root.key, 0o600],
    [files.rootCertificate, chain.root.certificate, 0o644],
    [files.intermediateKey, chain.intermediate.key, 0o600],
    [files.intermediateCertificate, chain.intermediate.certificate, 0o644],
    [files.serverCertificate, chain.leaf.certificate, 0o644],
    [files.serverKey, chain.leaf.key, 0o600],
    [files.chain, chain.chain, 0o644],
  ]
  const undo: (() => void)[] = []
  try {
    refuseToOverwrite(contents.map(([path]) => path))
    if (mkdirSync(directory, { recursive: true, mode: 0o700 })) undo.push(() => rmdirSync(directory))
    const staging = mkdtempSync(join(directory, '.certs-'))
    undo.push(() => rmSync(staging, { recursive: true, force: true }))
    const staged = contents.map(([path, text, mode], index) => {
      const from = join(staging, String(index))
      writeFileSync(from, text, { mode, flush: true })
      return { from, path }
    })
    for (const { from, path } of staged) {
      linkOrCopy(from, path)
      undo.push(() => rmSync(path))
    }
    rmSync(staging, { recursive: true, force: true })
    return files
  } catch (error) {
    for (const step of undo.reverse()) attempt(step)
    throw error instanceof ProvisionError ? error : refusal(directory, error)
  }
}

function refuseToOverwrite(paths: string[]): void {
  const existing = paths.filter((path) => lstatSync(path, { throwIfNoEntry: false }))
  if (existing.length > 0) throw filesExist(existing)
}

/** A link is atomic and, unlike a rename, never replaces a file that was created in the meantime. */
function linkOrCopy(from: string, path: string): void {
  try {
    linkSync(from, path)
  } catch (error) {
    // Shared folders of virtual machines and FAT file systems do not support links.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(codeOf(error))) throw error
    copyFileSync(from, path, constants.COPYFILE_EXCL)
  }
}

function refusal(directory: string, error: unknown): ProvisionError {
  const { dest, message } = error as Error & { dest?: string }
  if (codeOf(error) === 'EEXIST' && dest) return filesExist([dest])
  return new ProvisionError(
    problem('CERTS_NOT_WRITTEN', `no certificates written to ${directory}: ${message}`, { cause: error }),
  )
}

function filesExist(paths: string[]): ProvisionError {
  const message = `not overwritten: ${paths.join(', ')}`
  return new ProvisionError(problem('CERTS_EXIST', message, { details: { files: paths } }))
}

/** An error of the clean-up must not hide the error that caused it. */
function attempt(step: () => void): void {
  try {
    step()
  } catch {}
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? ''
}

// The names and addresses requested for a development certificate, in the form used in certificates.

export interface DevelopmentNames {
  /** Lower case, IDN as punycode, each once, in the order given. */
  dns: string[]
  ips: string[]
}

/** Throws a ProvisionError naming every entry that no verifier would accept. */
export function developmentNames(names: string[], ips: string[]): DevelopmentNames {
  const dns = names.map(dnsName)
  const addresses = ips.map(ipAddress)
  const problems = [...dns, ...addresses].flatMap((entry) => ('fault' in entry ? [refused(entry.fault)] : []))
  if (names.length + ips.length === 0)
    problems.push(refused('a certificate needs at least one name or address'))
  if (problems.length > 0) throw new ProvisionError(problems)
  return { dns: accepted(dns), ips: accepted(addresses) }
}

type Entry = { value: string } | { fault: string }

function accepted(entries: Entry[]): string[] {
  return [...new Set(entries.flatMap((entry) => ('value' in entry ? [entry.value] : [])))]
}

function dnsName(text: string): Entry {
  const name = canonicalName(text)
  if (ipVersion(name)) return { fault: `${name} is an IP address, not a name; pass it with --ip` }
  const [star, host] = name.startsWith('*.') ? ['*.', name.slice(2)] : ['', name]
  if (!isHostname(host)) return { fault: `${JSON.stringify(text)} is not a hostname` }
  // Go accepts a.local for *.local, OpenSSL does not: agents would join, but their tasks could not connect.
  if (star && !host.includes('.'))
    return { fault: `${JSON.stringify(text)} covers nothing: a wildcard needs two labels after the star` }
  return { value: name }
}

function ipAddress(text: string): Entry {
  const address = canonicalName(text)
  // A zone index (fe80::1%eth0) names an interface of this machine; certificates cannot contain one.
  if (!ipVersion(address)) return { fault: `${JSON.stringify(text)} is not an IP address` }
  return { value: address }
}

function refused(message: string) {
  return problem('CERTS_REQUEST_INVALID', message)
}
