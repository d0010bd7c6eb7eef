// Which master a command connects to: its address, the trust, and the token.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
// No named import: Node 22.12 has no getCACertificates, and would not load this file.
import tls from 'node:tls'
import { planTrust } from '../agent-setup/index.ts'
import { localHostOf, type MasterConfig } from '../config/index.ts'
import {
  type AgentDialOptions,
  anchorsOf,
  bundledRoots,
  type Certificate,
  dialOptions,
  loadTlsCredentials,
  type MasterAddress,
  type MasterScheme,
  masterUrl,
  type PlaceVariables,
  readCertificates,
  readTextFile,
  type TrustStore,
  trustStore,
  trustStoreFile,
} from '../pki/index.ts'
import type { Environment } from '../platform/index.ts'
import { isError, type Problem, ProvisionError, problem } from '../problems/index.ts'

export interface Target {
  address: MasterAddress
  /** Path prefix of the API. */
  prefix: string
  /** undefined: plain http. */
  trust?: ClientTrust
  access: TokenChoice
  /** Variables that may name a proxy; undefined for a master on this machine. */
  env?: Environment
}

/** The master of this configuration, on this machine. Throws a ProvisionError about its certificate. */
export function targetByConfig(
  config: MasterConfig,
  { tokenFile = join(config.state_dir, 'token'), now }: { tokenFile?: string; now: number },
): Target {
  const cert = config.security.tls?.cert
  return {
    address: { scheme: cert ? 'https' : 'http', host: localHostOf(config), port: config.port },
    prefix: '',
    ...(cert && { trust: trustByConfig(config, cert, now) }),
    access: readToken(tokenFile),
  }
}

/** A master at any address. Throws CLIENT_MASTER_URL, or an error about DET_MASTER_CERT_FILE or the trust store. */
export function targetByUrl(
  text: string,
  { tokenFile, env }: { tokenFile?: string; env: TrustVariables & Environment },
): Target {
  const url = parseClientUrl(text)
  const { scheme, host, port, prefix } = url
  const address = { scheme, host, port }
  const trust = scheme === 'https' ? trustByUrl(url, env) : undefined
  const withheld = withheldFrom(url, address, trust)
  const access = withheld ? { missing: withheld } : accessBy(tokenFile, address)
  return { address, prefix, ...(trust && { trust }), access, env }
}

/** Why no token must be sent there. */
function withheldFrom(url: ClientUrl, address: MasterAddress, trust?: ClientTrust): Problem | undefined {
  if (trust?.unverified)
    return problem('CLIENT_TOKEN_UNVERIFIED', `${masterUrl(address)} is not verified, so no token is sent`)
  if (trust || url.plainOnPurpose || isLoopback(url.host)) return undefined
  return problem(
    'CLIENT_TOKEN_EXPOSED',
    `${masterUrl(address)} uses plain http, which would expose the token`,
  )
}

function accessBy(tokenFile: string | undefined, address: MasterAddress): TokenChoice {
  if (tokenFile) return readToken(tokenFile)
  return { missing: problem('CLIENT_TOKEN_MISSING', `no token for ${masterUrl(address)}`) }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/** The token a command needs to change things, or why there is none. */
export type TokenChoice = { token: string } | { missing: Problem }

/** Read from the master's file, never created. */
export function readToken(file: string): TokenChoice {
  try {
    const token = readFileSync(file, 'utf8').trim()
    // A value that no header can hold would cause an error message that quotes it.
    if (/^[\x21-\x7e]+$/.test(token)) return { token }
    return { missing: problem('CLIENT_TOKEN_MISSING', `${file} does not contain a token`) }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT')
      return {
        missing: problem('CLIENT_TOKEN_MISSING', `token file not found: ${file}`, {
          remedy:
            'The master creates it at its first start; on another machine, pass a copy with --token-file.',
          cause,
        }),
      }
    return { missing: problem('CLIENT_TOKEN_MISSING', `the token cannot be read: ${message}`, { cause }) }
  }
}

/** What a client verifies the master with. */
export interface ClientTrust {
  options: AgentDialOptions
  /** The name that is verified. */
  name: string
  /** For messages: the anchors. */
  anchors: string
  /** The remedy when the certificate is not trusted or has another name; default: that of the code. */
  remedy?: string
  /** The trust store that may accept a certificate that no trusted CA signed. */
  memory?: TrustMemory
  /** DET_MASTER_CERT_FILE is `noverify`: the certificate is not verified. */
  unverified?: true
}

export interface TrustMemory {
  store: TrustStore
  /** The master's URL as the store has it. */
  url: string
  /** The stored certificates; empty when none can be read. */
  stored?: Certificate[]
}

/**
 * `DET_MASTER_CERT_FILE` is trusted in addition to the well-known CAs, instead of the stored certificates.
 * `DET_MASTER_CERT_NAME` is verified instead of the host. The others locate the store.
 */
export interface TrustVariables extends PlaceVariables {
  DET_MASTER_CERT_FILE?: string
  DET_MASTER_CERT_NAME?: string
}

/** For -m and DET_MASTER. Throws a ProvisionError when the file or the store cannot be used. */
export function trustByUrl(url: ClientUrl, env: TrustVariables): ClientTrust {
  const { DET_MASTER_CERT_FILE: file } = env
  if (file?.toLowerCase() === 'noverify') return trusting({ verify: false, anchors: 'nobody' }, url, env)
  if (file) {
    const remedy = `Add the master's chain (PEM) to ${file}, or unset DET_MASTER_CERT_FILE and use \`provision trust add\`.`
    return trusting(
      { certificates: certificatesOf(file), anchors: `the well-known CAs and ${file}`, remedy },
      url,
      env,
    )
  }
  const store = trustStore(trustStoreFile(env))
  const key = canonicalUrl(url)
  const pem = store.read()[key]
  const stored = pem === undefined ? undefined : readCertificates(pem, store.file).certificates
  const memory = { store, url: key, ...(stored && { stored }) }
  return { ...trusting({ certificates: stored, anchors: 'the well-known CAs' }, url, env), memory }
}

interface Anchors {
  certificates?: Certificate[]
  anchors: string
  remedy?: string
  verify?: boolean
}

function trusting(given: Anchors, { host }: ClientUrl, env: TrustVariables): ClientTrust {
  const { certificates = [], verify = true, ...words } = given
  const name = env.DET_MASTER_CERT_NAME || host
  const ca = certificates.map(({ x509 }) => x509.toString())
  // As in Determined's CLI: another name changes what is verified, not the SNI.
  const { servername } = dialOptions({ name: host })
  const options = { ...dialOptions({ name, ca: alsoTrusting(ca), verify, partialChain: true }), servername }
  return { ...words, options, name, ...(!verify && { unverified: true }) }
}

/** undefined: the well-known CAs alone. */
function alsoTrusting(pems: string[]): string[] | undefined {
  return pems.length > 0 ? [...wellKnown(), ...pems] : undefined
}

/** Node's default CAs, with those of NODE_EXTRA_CA_CERTS; Node before 22.15 cannot list the latter. */
function wellKnown(): readonly string[] {
  return 'getCACertificates' in tls ? tls.getCACertificates('default') : bundledRoots()
}

/** Replaces the stored certificates of the master, and trusts the new ones from now on. */
export async function remember(trust: ClientTrust, pem: string): Promise<ClientTrust> {
  const { store, url } = trust.memory!
  await store.set(url, pem)
  const { certificates: stored } = readCertificates(pem, store.file)
  const { servername } = trust.options
  const dialled = dialOptions({ name: trust.name, ca: alsoTrusting([pem]), partialChain: true })
  return { ...trust, options: { ...dialled, servername }, memory: { store, url, stored } }
}

function certificatesOf(file: string): Certificate[] {
  const { text, problems } = readTextFile(file, 'certificate file of DET_MASTER_CERT_FILE')
  if (text === undefined) throw new ProvisionError(problems)
  const read = readCertificates(text, file)
  if (read.problems.some(isError)) throw new ProvisionError(read.problems)
  return read.certificates
}

/** For -c: the chain the master is configured with, and a name it covers. Throws what is wrong with its file. */
export function trustByConfig(config: MasterConfig, cert: string, now: number): ClientTrust {
  const where = { cert: config.locate('security.tls.cert') }
  const { material, problems } = loadTlsCredentials({ certFile: cert }, { now, where })
  if (!material) throw new ProvisionError(problems)
  const { plan, problems: doubts } = planTrust({
    address: { scheme: 'https', host: localHostOf(config), port: config.port },
    options: { trust: 'auto', allow_ip_only: true },
    certificateName: '',
    material,
    now,
    where: where.cert,
  })
  if (!plan) throw new ProvisionError([...problems, ...doubts])
  const name = plan.certificateName ?? localHostOf(config)
  const ca = plan.mode === 'embed' ? anchorsOf(plan) : undefined
  return {
    options: dialOptions({ name, ca }),
    name,
    anchors: plan.mode === 'embed' ? cert : 'the well-known CAs',
    remedy: `The server there does not use ${cert}: restart its master after a renewal, or name another configuration with -c.`,
  }
}

/** The address in -m or DET_MASTER, parsed as Determined's CLI does (Determined: harness common/api/_util.py). */
export interface ClientUrl {
  scheme: MasterScheme
  /** Without brackets. */
  host: string
  port: number
  /** Path prefix of the API: '' or such as `/cluster-a`. */
  prefix: string
  /** http:// was given explicitly. */
  plainOnPurpose: boolean
}

/** https without a port is 443, http 80; no scheme is http on 8080. Throws CLIENT_MASTER_URL. */
export function parseClientUrl(text: string): ClientUrl {
  const given = text.trim()
  // Checked before anything is quoted: the part before an "@" is a secret.
  if (given.includes('@')) throw wrong('the master URL contains a user name or password')
  const schemed = /^[a-z][a-z0-9+.-]*:\/\//i.test(given)
  const url = URL.parse(schemed ? given : `http://${given}`)
  if (!url?.hostname) throw wrong(`${JSON.stringify(text)} is not a valid master address`)
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw wrong(`the master's address must use https or http, not ${url.protocol.slice(0, -1)}`)
  if (url.search || url.hash)
    throw wrong(`the master's address has a query or fragment after its path: ${url.search}${url.hash}`)
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  return {
    scheme,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: portOf(given, schemed, scheme),
    prefix: url.pathname.replace(/\/+$/, ''),
    plainOnPurpose: schemed && scheme === 'http',
  }
}

/** The key of the trust store. IPv6 hosts are without brackets there, since Python's urlparse drops them. */
export function canonicalUrl({ scheme, host, port, prefix }: ClientUrl): string {
  return `${scheme}://${host}:${port}${prefix}`
}

/** Read from the string: `URL` drops the default port of a scheme, and `master:80` means 80, not 8080. */
function portOf(given: string, schemed: boolean, scheme: MasterScheme): number {
  const authority = given.replace(/^[^/]*\/\//, '').replace(/\/.*$/, '')
  const [, digits] = /:(\d+)$/.exec(authority) ?? []
  if (digits !== undefined) return Number(digits)
  return schemed ? (scheme === 'https' ? 443 : 80) : 8080
}

function wrong(message: string): ProvisionError {
  return new ProvisionError(problem('CLIENT_MASTER_URL', message))
}
