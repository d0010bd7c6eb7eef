// Which master a command talks to: where it is, what is trusted there, and with which token.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
// Not by name: Node 22.12 has no getCACertificates, and would not load this file.
import tls from 'node:tls'
import { planTrust } from '../agent-setup/index.ts'
import type { MasterConfig } from '../config/index.ts'
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
import { isError, type Problem, ProvisionError, problem } from '../problems/index.ts'

export interface Target {
  address: MasterAddress
  /** What stands before the paths of the API. */
  prefix: string
  /** undefined: plain http. */
  trust?: ClientTrust
  access: TokenChoice
}

/** The master this configuration is of, on this machine. Throws what is wrong with its certificate. */
export function targetByConfig(
  config: MasterConfig,
  { tokenFile = join(config.state_dir, 'token'), now }: { tokenFile?: string; now: number },
): Target {
  const cert = config.security.tls?.cert
  return {
    address: { scheme: cert ? 'https' : 'http', host: '127.0.0.1', port: config.port },
    prefix: '',
    ...(cert && { trust: trustByConfig(config, cert, now) }),
    access: readToken(tokenFile),
  }
}

/** A master anywhere. Throws CLIENT_MASTER_URL, and what is wrong with DET_MASTER_CERT_FILE or the trust store. */
export function targetByUrl(
  text: string,
  { tokenFile, env }: { tokenFile?: string; env: TrustVariables },
): Target {
  const url = parseClientUrl(text)
  const { scheme, host, port, prefix } = url
  const address = { scheme, host, port }
  const trust = scheme === 'https' ? trustByUrl(url, env) : undefined
  const withheld = withheldFrom(url, address, trust)
  const access = withheld ? { missing: withheld } : accessBy(tokenFile, address)
  return { address, prefix, ...(trust && { trust }), access }
}

/** Why a token must not be sent there, though there may be one. */
function withheldFrom(url: ClientUrl, address: MasterAddress, trust?: ClientTrust): Problem | undefined {
  if (trust?.unverified)
    return problem('CLIENT_TOKEN_UNVERIFIED', `${masterUrl(address)} is not verified and gets no token`)
  if (trust || url.plainOnPurpose || isLoopback(url.host)) return undefined
  return problem('CLIENT_TOKEN_EXPOSED', `${masterUrl(address)} would be sent the token in plain text`)
}

function accessBy(tokenFile: string | undefined, address: MasterAddress): TokenChoice {
  if (tokenFile) return readToken(tokenFile)
  return { missing: problem('CLIENT_TOKEN_MISSING', `no token was given for ${masterUrl(address)}`) }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/** The token that lets a command change things, or why there is none. */
export type TokenChoice = { token: string } | { missing: Problem }

/** Read where the master keeps it, never made. */
export function readToken(file: string): TokenChoice {
  try {
    const token = readFileSync(file, 'utf8').trim()
    // What no header may hold would end in a message that quotes it.
    if (/^[\x21-\x7e]+$/.test(token)) return { token }
    return { missing: problem('CLIENT_TOKEN_MISSING', `${file} does not hold a token`) }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT')
      return {
        missing: problem('CLIENT_TOKEN_MISSING', `there is no token at ${file}`, {
          remedy: 'The master makes it at its first start; elsewhere name a copy of it with --token-file.',
          cause,
        }),
      }
    return { missing: problem('CLIENT_TOKEN_MISSING', `the token cannot be read: ${message}`, { cause }) }
  }
}

/** Whom a client trusts to be its master. */
export interface ClientTrust {
  options: AgentDialOptions
  /** The name that is verified. */
  name: string
  /** For messages: the anchors. */
  anchors: string
  /** What helps when the certificate is not trusted or has another name; else the codes' own words do. */
  remedy?: string
  /** Where a certificate that no CA vouches for may become a trusted one. */
  memory?: TrustMemory
  /** DET_MASTER_CERT_FILE is `noverify`: whoever answers is believed. */
  unverified?: true
}

export interface TrustMemory {
  store: TrustStore
  /** The master's URL as the store has it. */
  url: string
  /** What was stored for it; empty when that holds no certificate that can be read. */
  stored?: Certificate[]
}

/**
 * `DET_MASTER_CERT_FILE` adds to the well-known CAs in place of what is stored; `DET_MASTER_CERT_NAME` is verified in
 * place of the host. The others say where the store is.
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
  // As Determined's command line: another name changes what is verified, not what is asked for.
  const { servername } = dialOptions({ name: host })
  const options = { ...dialOptions({ name, ca: alsoTrusting(ca), verify, partialChain: true }), servername }
  return { ...words, options, name, ...(!verify && { unverified: true }) }
}

/** undefined: the well-known CAs alone. */
function alsoTrusting(pems: string[]): string[] | undefined {
  return pems.length > 0 ? [...wellKnown(), ...pems] : undefined
}

/** As Node trusts them by itself, with those of NODE_EXTRA_CA_CERTS; before 22.15 there is no way to ask for these. */
function wellKnown(): readonly string[] {
  return 'getCACertificates' in tls ? tls.getCACertificates('default') : bundledRoots()
}

/** Stores the certificates for the master in place of what was stored, and trusts them from now on. */
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
  const where = { cert: { file: config.file, path: 'security.tls.cert' } }
  const { material, problems } = loadTlsCredentials({ certFile: cert }, { now, where })
  if (!material) throw new ProvisionError(problems)
  const { plan, problems: doubts } = planTrust({
    address: { scheme: 'https', host: '127.0.0.1', port: config.port },
    options: { trust: 'auto', allow_ip_only: true },
    certificateName: '',
    material,
    now,
    where: where.cert,
  })
  if (!plan) throw new ProvisionError([...problems, ...doubts])
  const name = plan.certificateName ?? '127.0.0.1'
  const ca = plan.mode === 'embed' ? anchorsOf(plan) : undefined
  return {
    options: dialOptions({ name, ca }),
    name,
    anchors: plan.mode === 'embed' ? cert : 'the well-known CAs',
    remedy: `What listens there does not serve ${cert}: start its master again after a renewal, or name another configuration with -c.`,
  }
}

/** Where -m and DET_MASTER point, read as Determined's own command line reads them (origin: harness common/api/_util.py). */
export interface ClientUrl {
  scheme: MasterScheme
  /** Without brackets. */
  host: string
  port: number
  /** What stands before the paths of the API: '' or such as `/cluster-a`. */
  prefix: string
  /** Plain http was written out, not merely assumed. */
  plainOnPurpose: boolean
}

/** https without a port is 443, http 80; no scheme is http on 8080. Throws CLIENT_MASTER_URL. */
export function parseClientUrl(text: string): ClientUrl {
  const given = text.trim()
  // Before anything is quoted: what stands before an "@" is a secret.
  if (given.includes('@')) throw wrong('the address of the master holds a user name or password')
  const schemed = /^[a-z][a-z0-9+.-]*:\/\//i.test(given)
  const url = URL.parse(schemed ? given : `http://${given}`)
  if (!url?.hostname) throw wrong(`${JSON.stringify(text)} is no address of a master`)
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw wrong(`a master speaks https or http, not ${url.protocol.slice(0, -1)}`)
  if (url.search || url.hash)
    throw wrong(`the address of the master goes on after its path: ${url.search}${url.hash}`)
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

/** From the text: `URL` drops a port that is its scheme's own, and `master:80` means 80, not 8080. */
function portOf(given: string, schemed: boolean, scheme: MasterScheme): number {
  const authority = given.replace(/^[^/]*\/\//, '').replace(/\/.*$/, '')
  const [, digits] = /:(\d+)$/.exec(authority) ?? []
  if (digits !== undefined) return Number(digits)
  return schemed ? (scheme === 'https' ? 443 : 80) : 8080
}

function wrong(message: string): ProvisionError {
  return new ProvisionError(problem('CLIENT_MASTER_URL', message))
}
