// The agents' CA: its certificates as they are now, wherever they are kept, and the certificates that it issues to instances.
import { type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import {
  type CaKey,
  caKeyOf,
  certificateSkew,
  loadCertificateWriter,
  newKey,
  readPem,
  spkiOf,
  writeCertificate,
} from '../pki/index.ts'
import { limit } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import type { CaContents, JoinStore, StoredAuthority } from '../state/index.ts'
import { idPattern, sha256 } from './csr.ts'
import { tokenKeyOf } from './pkcs11-key.ts'
import { checkTokenFiles, type TokenKey } from './pkcs11-tool.ts'

/** Files of the user in place of a CA in the state. Absolute paths. */
export interface CaFiles {
  /** PEM: first the certificate that issues, then others that are handed out as well. */
  certificateFile: string
  /** PEM, not encrypted; or a key in a token. */
  key: string | TokenKey
}

interface NamedKey {
  key_file?: string | undefined
  certificate_file?: string | undefined
  pkcs11?: { module: string; token: string; label: string; pin_file: string } | undefined
}

/** The CA in files of the user, if the configuration names them. `env`: of the program that asks a token. */
export function caFilesOf({ agents_ca }: { agents_ca: NamedKey }, env: TokenKey['env']): CaFiles | undefined {
  const { key_file, certificate_file: certificateFile, pkcs11 } = agents_ca
  const key = key_file ?? (pkcs11 && tokenKeyIn(pkcs11, env))
  return key !== undefined && certificateFile !== undefined ? { key, certificateFile } : undefined
}

function tokenKeyIn(
  { pin_file: pinFile, ...named }: NonNullable<NamedKey['pkcs11']>,
  env: TokenKey['env'],
): TokenKey {
  return { ...named, pinFile, env }
}

export interface Issuing {
  /** PEM. */
  certificate: string
  key: CaKey
  /** SHA-256 of the certificate in DER, hex. */
  id: string
  /** Milliseconds since the epoch. */
  notAfter: number
}

/** The certificates of the CA, wherever they are kept. */
export interface CaInForce {
  /** Another value after every change. */
  version: string
  issuing: Issuing
  /** All that are handed out: every certificate of an instance was issued by one of them. */
  trusted: readonly X509Certificate[]
  /** What each of them is for. */
  roles: readonly StoredAuthority['role'][]
  /** The same in PEM, for a master's `client_ca`. */
  bundle: string
}

export interface CurrentCa extends CaInForce {
  nonceKey: Buffer
}

export interface AgentsCa {
  /** Reads it anew, so that what another process has changed is known. Throws AGENTS_CA_MISSING or AGENTS_CA_UNUSABLE. */
  current(): Promise<CurrentCa>
}

/** Certificates that are written to nowhere at the start. */
const warmUps = 3

/** One certificate after the other: many that join at once must not hold the event loop together. */
const inTurn = limit(1)

/** Milliseconds. Ten years. */
const caLifetime = 3650 * 86_400_000

/** `files`: used in place of the authorities in the store, which then has only the key of the nonces. */
export function openAgentsCa(store: JoinStore, files?: CaFiles): AgentsCa {
  let known: { text: string; ca: CurrentCa } | undefined
  return {
    async current() {
      const stored = await store.readCa()
      if (!stored) throw missing()
      const authorities = files ? await authoritiesIn(files) : stored.authorities
      const text = JSON.stringify([stored.nonceKey, authorities])
      if (known?.text !== text) {
        const nonceKey = Buffer.from(stored.nonceKey, 'base64')
        known = { text, ca: { ...usable(authorities, files), nonceKey } }
      }
      return known.ca
    },
  }
}

/** Its certificates as they are now, also where no provisioner was started yet with files. Throws as `AgentsCa.current`. */
export async function caInForce(store: JoinStore | undefined, files?: CaFiles): Promise<CaInForce> {
  if (files) return usable(await authoritiesIn(files), files)
  const stored = await store?.readCa()
  if (!stored) throw missing()
  return usable(stored.authorities)
}

/** A key in a token is left out. */
async function authoritiesIn({ certificateFile, key: place }: CaFiles): Promise<StoredAuthority[]> {
  const [certificates, key] = await Promise.all([
    readText(certificateFile),
    typeof place === 'string' ? readText(place) : checkTokenFiles(place).then(() => undefined),
  ])
  const { blocks } = readPem(certificates)
  const broken = blocks.find(({ fault }) => fault !== undefined)
  if (broken) throw unusable(`${certificateFile}, line ${broken.line}: ${broken.fault}`)
  return blocks
    .filter(({ label }) => label === 'CERTIFICATE')
    .map(({ der }, index) => ({
      role: index === 0 ? 'issuing' : 'previous',
      certificate: der.toString('base64'),
      ...(index === 0 && key !== undefined && { key }),
    }))
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw unusable(`${file} cannot be read: ${(cause as Error).message}`, cause)
  }
}

function usable(authorities: readonly StoredAuthority[], files?: CaFiles): CaInForce {
  const place = files?.certificateFile ?? "the agents' CA in the state"
  const trusted = authorities.map(({ certificate }) => certificateIn(certificate, place))
  const at = authorities.findIndex(({ role }) => role === 'issuing')
  const first = trusted[at]
  const key = typeof files?.key === 'object' ? files.key : authorities[at]?.key
  if (!first || key === undefined) throw unusable(`${place}: there is no certificate that issues`)
  const keyPlace = typeof files?.key === 'string' ? files.key : place
  return {
    version: [...trusted.map(idOf), at].join(' '),
    issuing: issuingOf(first, key, keyPlace, place),
    trusted,
    roles: authorities.map(({ role }) => role),
    bundle: trusted.map((each) => each.toString()).join(''),
  }
}

function certificateIn(text: string, place: string): X509Certificate {
  try {
    return new X509Certificate(text.startsWith('-----') ? text : Buffer.from(text, 'base64'))
  } catch (cause) {
    throw unusable(`${place}: a certificate cannot be read`, cause)
  }
}

function issuingOf(
  certificate: X509Certificate,
  where: string | TokenKey,
  keyPlace: string,
  place: string,
): Issuing {
  if (!certificate.ca) throw unusable(`${place}: the first certificate is not that of a CA`)
  const key = typeof where === 'string' ? keyIn(where, keyPlace) : tokenKeyOf(where, certificate.publicKey)
  if (!spkiOf(key.publicKey).equals(spkiOf(certificate.publicKey)))
    throw unusable(`${keyPlace}: the key is not that of the first certificate in ${place}`)
  const { validToDate } = certificate
  return { certificate: certificate.toString(), key, id: idOf(certificate), notAfter: validToDate.getTime() }
}

function keyIn(pem: string, place: string): CaKey {
  try {
    return caKeyOf(pem)
  } catch (cause) {
    throw unusable(`${place}: the key cannot be used: ${(cause as Error).message}`, cause)
  }
}

/** SHA-256 of the certificate in DER, hex. */
export function idOf(certificate: X509Certificate): string {
  return sha256(certificate.raw)
}

// Making a CA, and certificates of instances.

/** A new CA certificate, signed by its own new key. `now`: the time of day in milliseconds. */
export async function newAuthority(now: number): Promise<Omit<StoredAuthority, 'role'>> {
  const { pem, key } = await newKey()
  const name = `Agents CA ${randomBytes(3).toString('hex')}`
  const certificate = await writeCertificate(
    {
      subject: [{ O: ['Agent provisioner'] }, { CN: [name] }],
      publicKey: key.publicKey,
      notBefore: now - certificateSkew,
      notAfter: now + caLifetime,
      use: { ca: 0 },
    },
    { own: key },
  )
  return { certificate, key: pem }
}

/**
 * Creates the CA unless there is one; several may do so at once. With `isFile` only the key of the nonces. Loads what writes
 * certificates, so that the first join does not hold the event loop for that time: to be called before anything is served.
 */
export async function ensureCa(store: JoinStore, now: number, isFile = false): Promise<'created' | 'found'> {
  await loadCertificateWriter()
  // The first few certificates take five times as long as later ones.
  for (let n = 0; n < warmUps; n++) await newAuthority(now)
  if (await store.readCa()) return 'found'
  const contents: CaContents = {
    nonceKey: randomBytes(32).toString('base64'),
    authorities: isFile ? [] : [{ role: 'issuing', ...(await newAuthority(now)) }],
  }
  return (await store.replaceCa(contents, undefined)) ? 'created' : 'found'
}

/** When a certificate that is issued now expires: with its CA at the latest. Milliseconds, in whole seconds. */
export function expiryOf({ issuing }: CaInForce, lifetime: number, now: number): number {
  const expiresAt = Math.min(Math.floor((now + lifetime) / 1000) * 1000, issuing.notAfter)
  if (expiresAt <= now) throw unusable(`it has expired at ${new Date(issuing.notAfter).toISOString()}`)
  return expiresAt
}

export interface InstanceCertificate {
  id: string
  publicKey: KeyObject
  now: number
  expiresAt: number
}

/** A client certificate for an instance; PEM. `id`: as `idPattern` allows. */
export async function issueTo(
  { issuing }: CaInForce,
  { id, publicKey, now, expiresAt }: InstanceCertificate,
): Promise<string> {
  if (!idPattern.test(id)) throw new TypeError('not an id of an instance')
  return (issuing.key.inTurn ?? inTurn)(async () => {
    await setImmediate()
    const request = {
      subject: [{ CN: [id] }],
      publicKey,
      notBefore: now - certificateSkew,
      notAfter: expiresAt,
      use: { purpose: 'clientAuth' as const, names: [{ type: 'url' as const, value: uriOf(id) }] },
    }
    return writeCertificate(request, issuing)
  })
}

function uriOf(id: string): string {
  return `provision:instance:${id}`
}

/**
 * The id of the instance that this CA has issued the certificate to, if it is valid now. `key`: SHA-256 of its key; `issuer`: that
 * of the certificate of the CA. Decides
 * by the certificates of this CA alone, never by what a listener trusts.
 */
export function instanceIn(
  certificate: X509Certificate,
  { trusted }: Pick<CaInForce, 'trusted'>,
  now: number,
): { id: string; key: string; issuer: string } | undefined {
  const issuer = trusted.find((ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey))
  if (!issuer || ![certificate, issuer].every((each) => isValidAt(each, now))) return undefined
  const [, id = ''] = /^CN=(\S+)$/.exec(certificate.subject) ?? []
  if (!idPattern.test(id) || certificate.subjectAltName !== `URI:${uriOf(id)}`) return undefined
  return { id, key: sha256(spkiOf(certificate.publicKey)), issuer: idOf(issuer) }
}

function isValidAt({ validFromDate, validToDate }: X509Certificate, now: number): boolean {
  return validFromDate.getTime() <= now && now <= validToDate.getTime()
}

function missing(): ProvisionError {
  return new ProvisionError(problem('AGENTS_CA_MISSING', "there is no agents' CA yet"))
}

function unusable(message: string, cause?: unknown): ProvisionError {
  return new ProvisionError(problem('AGENTS_CA_UNUSABLE', message, { cause }))
}
