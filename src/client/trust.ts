// Whom a client trusts to be its master. Verification is never off.
import { rootCertificates } from 'node:tls'
import type { MasterConfig } from '../model/master-config.ts'
import { isError, ProvisionError, problem } from '../model/problem.ts'
import { anchorsOf } from '../model/trust-plan.ts'
import { readCertificates } from '../tls/certificate/certificate-file.ts'
import { type AgentDialOptions, dialOptions } from '../tls/dial-options.ts'
import { readTextFile } from '../tls/files.ts'
import { loadMaterial } from '../tls/material.ts'
import { planTrust } from '../tls/trust/trust.ts'

export interface ClientTrust {
  options: AgentDialOptions
  /** The name that is verified. */
  name: string
  /** For messages: the anchors. */
  anchors: string
  /** What helps when the certificate is not trusted or has another name; else the codes' own words do. */
  remedy?: string
}

/** `DET_MASTER_CERT_FILE` adds to the well-known CAs; `DET_MASTER_CERT_NAME` is verified in place of the host. */
export interface TrustVariables {
  DET_MASTER_CERT_FILE?: string
  DET_MASTER_CERT_NAME?: string
}

/** For -m and DET_MASTER. Throws a ProvisionError when the file cannot be used. */
export function trustByVariables(host: string, env: TrustVariables): ClientTrust {
  const { DET_MASTER_CERT_FILE: file, DET_MASTER_CERT_NAME: named } = env
  const name = named || host
  const ca = file ? [...rootCertificates, ...certificatesOf(file)] : undefined
  const options = dialOptions({ name, ca, partialChain: true })
  // As Determined's command line: another name changes what is verified, not what is asked for.
  const { servername } = dialOptions({ name: host })
  return {
    options: { ...options, servername },
    name,
    anchors: file ? `the well-known CAs and ${file}` : 'the well-known CAs',
  }
}

function certificatesOf(file: string): string[] {
  if (file.toLowerCase() === 'noverify')
    throw new ProvisionError(problem('CLIENT_VERIFIES_ALWAYS', 'DET_MASTER_CERT_FILE is noverify'))
  const { text, problems } = readTextFile(file, 'certificate file of DET_MASTER_CERT_FILE')
  if (text === undefined) throw new ProvisionError(problems)
  const read = readCertificates(text, file)
  if (read.problems.some(isError)) throw new ProvisionError(read.problems)
  return read.certificates.map(({ x509 }) => x509.toString())
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
