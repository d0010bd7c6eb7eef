// How agents verify the master; decided before anything is rendered or launched.

export const trustModes = ['embed', 'system', 'skip_verify', 'off'] as const
export type TrustMode = (typeof trustModes)[number]

export type CertificateRole = 'leaf' | 'intermediate' | 'root'

export interface CertificateFacts {
  role: CertificateRole
  subject: string
  issuer: string
  /** As `DNS:master.example.com` or `IP:10.0.0.1`. */
  sans: string[]
  /** RFC 3339, UTC. */
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
  /**
   * For `system`: the well-known root above the chain, when it is known. Agents get it in addition to the CAs of their
   * VM, which may not include it.
   */
  wellKnownRoot?: CertificateFacts
}

/** The certificate file for agents: every certificate of the plan, leaf first. Empty unless `embed`. */
export function anchorsOf(plan: TrustPlan): string {
  return plan.chain.map((certificate) => certificate.pem).join('')
}

/**
 * SHA-256 of the certificates that agents trust in the end, sorted: the tops of the chain, and the well-known root. Those below
 * them are renewed, which makes no difference.
 */
export function rootsOf({ chain, wellKnownRoot }: Pick<TrustPlan, 'chain' | 'wellKnownRoot'>): string[] {
  const isBelow = ({ role, issuer }: CertificateFacts) =>
    role !== 'root' && chain.some(({ role: above, subject }) => above !== 'leaf' && subject === issuer)
  const tops = chain.filter((certificate) => !isBelow(certificate))
  return [...new Set([...tops, ...(wellKnownRoot ? [wellKnownRoot] : [])].map(({ sha256 }) => sha256))].sort()
}

// The address at which agents dial the master.

export type MasterScheme = 'http' | 'https'

export interface MasterAddress {
  scheme: MasterScheme
  /** A DNS name, an IP address (IPv6 without brackets), or an alias such as `local-ipv4`. */
  host: string
  port: number
  /** `host` is an alias that agents replace by this value from the cloud's metadata server; undefined: a real host. */
  alias?: HostAlias
}

/** What an alias stands for. */
export type HostAlias = 'address' | 'name'

/** Which preflight results stop launches: a wrong or missing answer, only a wrong one, or none. */
export const preflightModes = ['required', 'tls', 'off'] as const
export type PreflightMode = (typeof preflightModes)[number]

/** Which answers prove that agents would join: `/info` and the agent socket, the agent socket, or any HTTP answer. */
export const preflightProofs = ['master', 'agent_socket', 'http'] as const
export type PreflightProof = (typeof preflightProofs)[number]

/** `https://[::1]:8443`: IPv6 hosts get their brackets back. */
export function masterUrl(address: MasterAddress): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${address.scheme}://${host}:${address.port}`
}
