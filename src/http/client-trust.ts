// Whom a client trusts to be its master.
// Not by name: Node 22.12 has no getCACertificates, and would not load this file.
import tls from 'node:tls'
import { planTrust } from '../agent-setup/trust.ts'
import type { MasterConfig } from '../config/master-config.ts'
import type { Certificate } from '../pki/certificate.ts'
import { readCertificates } from '../pki/certificate-file.ts'
import { loadMaterial } from '../pki/credentials.ts'
import { type AgentDialOptions, dialOptions } from '../pki/dial-options.ts'
import { readTextFile } from '../pki/files.ts'
import { type PlaceVariables, trustStoreFile } from '../pki/place.ts'
import { anchorsOf } from '../pki/trust-plan.ts'
import { type TrustStore, trustStore } from '../pki/trust-store.ts'
import { bundledRoots } from '../pki/well-known.ts'
import { isError, ProvisionError } from '../problems/problem.ts'
import { type ClientUrl, canonicalUrl } from './master-url.ts'

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
  const { material, problems } = loadMaterial({ certFile: cert }, { now, where })
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
