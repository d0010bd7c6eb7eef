// Complete agent setups, of which each test changes a part.

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JoinSetup } from '../../src/agent-setup/join.ts'
import type { AgentSetup } from '../../src/agent-setup/setup.ts'
import type { CertificateFacts, CertificateRole, TrustMode, TrustPlan } from '../../src/pki/trust-plan.ts'
import { machineOf } from '../../src/providers/definition.ts'
import { builtInProviders } from '../../src/providers/index.ts'

export type SetupChanges = Partial<Omit<AgentSetup, 'docker' | 'trust' | 'master'>> & {
  /** The kind of machine. */
  cloud?: string
  docker?: Partial<AgentSetup['docker']>
  trust?: Partial<TrustPlan>
  master?: Partial<AgentSetup['master']>
}

export const machines = builtInProviders.map(machineOf)

const roles: CertificateRole[] = ['leaf', 'intermediate', 'root']

/** Root, intermediate and leaf of a private CA, all ECDSA P-256, whose keys no longer exist. */
export function exampleChain(): CertificateFacts[] {
  const text = readFileSync(join(import.meta.dirname, 'example-chain.pem'), 'utf8')
  return chainOf(text)
}

/** The facts of a PEM text, leaf first. */
export function chainOf(pemText: string): CertificateFacts[] {
  const blocks = pemText.match(/-----BEGIN[\s\S]+?-----END CERTIFICATE-----\n/g) ?? []
  return blocks.map((pem, n) => {
    const certificate = new X509Certificate(pem)
    return {
      role: roles[n] ?? 'root',
      subject: certificate.subject,
      issuer: certificate.issuer,
      sans: certificate.subjectAltName?.split(', ') ?? [],
      notBefore: certificate.validFromDate.toISOString(),
      notAfter: certificate.validToDate.toISOString(),
      sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      pem,
    }
  })
}

export function trustPlan(mode: TrustMode, certificateName?: string): TrustPlan {
  return {
    mode,
    modeReason: 'set by the test',
    ...(certificateName && { certificateName }),
    certificateNameReason: 'set by the test',
    chain: mode === 'embed' ? exampleChain() : [],
  }
}

/** How an instance gets its client certificate at that address, which has this name. */
export function joinSetup(url: string, name: string, ...proofs: string[]): JoinSetup {
  return { url, name, proofs, renewSeconds: 86_400 }
}

/** An agent of pool `default` on EC2 with docker, which trusts the example chain. */
export function agentSetup({ cloud = 'aws', ...changes }: SetupChanges = {}): AgentSetup {
  const trust = changes.trust
    ? { ...trustPlan(changes.trust.mode ?? 'embed'), ...changes.trust }
    : trustPlan('embed', 'determined-master.example.com')
  const config = { security: { tls: tlsSettings(trust) } }
  return {
    machine: machines.find(({ kind }) => kind === cloud)!,
    machines,
    poolName: 'default',
    agentConfig: trust.mode === 'off' ? {} : config,
    slotType: 'cuda',
    runtime: 'docker',
    command: [],
    startupScript: '',
    containerStartupScript: '',
    reconnectAttempts: 5,
    reconnectBackoffSeconds: 5,
    bootTimeoutSeconds: 600,
    poweroffIfNeverJoined: true,
    ...changes,
    master: { scheme: 'https', host: '10.0.0.5', port: 8443, ...changes.master },
    trust,
    docker: {
      image: 'determinedai/determined-agent:0.38.1',
      network: 'default',
      runtime: 'runc',
      logOptions: [],
      ...changes.docker,
    },
  }
}

function tlsSettings({ mode, certificateName }: TrustPlan): Record<string, unknown> {
  return {
    enabled: true,
    ...(mode === 'skip_verify' && { skip_verify: true }),
    ...(mode === 'embed' && { master_cert: '/usr/local/determined/master.crt' }),
    ...(certificateName && { master_cert_name: certificateName }),
  }
}
