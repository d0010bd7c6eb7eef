// How an agent will trust the master, decided before anything is rendered or launched.

export const trustModes = ['embed', 'system', 'skip_verify', 'off'] as const
export type TrustMode = (typeof trustModes)[number]

export type CertificateRole = 'leaf' | 'intermediate' | 'root'

export interface CertificateFacts {
  role: CertificateRole
  subject: string
  issuer: string
  /** As `DNS:master.example.com` or `IP:10.0.0.1`. */
  sans: string[]
  /** ISO 8601, UTC. */
  notBefore: string
  notAfter: string
  /** Of the DER bytes, lower-case hex without separators. */
  sha256: string
  /** Re-encoded from DER: 64 characters a line, LF, one final newline. */
  pem: string
}

export interface TrustPlan {
  mode: TrustMode
  modeReason: string
  /** `security.tls.master_cert_name`; undefined when the dialled host itself is verified, or nothing is. */
  certificateName?: string
  certificateNameReason: string
  /** What `embed` puts on the agent, leaf first, each once; empty in every other mode. */
  chain: CertificateFacts[]
}

/** The certificate file agents get: every certificate of the plan, leaf first. Empty text unless `embed`. */
export function anchorsOf(plan: TrustPlan): string {
  return plan.chain.map((certificate) => certificate.pem).join('')
}
