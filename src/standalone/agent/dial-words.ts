// Why an agent got no connection, in words an operator can act on.

import { classify, type PreflightCode, rootFault, withTlsCode } from '../../pki/classify.ts'
import { type Problem, ProvisionError } from '../../problems/problem.ts'
import type { AgentOptions } from './options.ts'

export type DialFault = {
  /** Such as `UNKNOWN_CA`; undefined when the master itself said no, or for what is not a connection's fault. */
  kind?: string
  /** One sentence without a full stop. */
  reason: string
  /** The certificate at fault: whose, for which names, by whom, and until when. */
  presents?: string
}

type Words = (options: AgentOptions, fault: Error) => string

const untrusted: Words = ({ tls }) =>
  `its certificate is not from a CA this agent trusts (${tls.masterCert || 'the well-known CAs'}), or the master does not send its intermediate CA`

const words: Partial<Record<PreflightCode, Words>> = {
  PREFLIGHT_DNS_NOT_FOUND: ({ masterHost }) => `${masterHost} has no address here`,
  PREFLIGHT_DNS_FAILED: ({ masterHost }) => `the name server gave no answer for ${masterHost}`,
  PREFLIGHT_REFUSED: () => 'nothing listens there',
  PREFLIGHT_UNREACHABLE: () => 'no answer in time: a firewall, or the wrong address',
  PREFLIGHT_NO_ROUTE: () => 'there is no route to it',
  PREFLIGHT_NOT_TLS: () => 'it does not speak TLS, and security.tls.enabled is on',
  PREFLIGHT_CLOSED_IN_HANDSHAKE: ({ tls }) =>
    tls.enabled
      ? 'it cut the connection during the TLS handshake'
      : 'it cut the connection; it may want TLS, and security.tls.enabled is off',
  PREFLIGHT_UNKNOWN_CA: untrusted,
  PREFLIGHT_OTHER_SELF_SIGNED: untrusted,
  PREFLIGHT_BAD_SIGNATURE: untrusted,
  PREFLIGHT_ROOT_MISSING: untrusted,
  PREFLIGHT_MISSING_INTERMEDIATE: untrusted,
  PREFLIGHT_EXPIRED: () => 'a certificate it presents has expired',
  PREFLIGHT_NOT_YET_VALID: () =>
    'a certificate it presents is not valid yet, or the clock of this machine is wrong',
  PREFLIGHT_WRONG_NAME: (_, fault) => fault.message,
  PREFLIGHT_BAD_PURPOSE: () => 'its certificate is not for servers',
  PREFLIGHT_BAD_CA: () => 'a CA of its certificate may not issue it',
  PREFLIGHT_TOO_WEAK: () => 'a key or signature of its certificates is too weak',
  PREFLIGHT_TLS_TOO_OLD: () => 'it offers no TLS newer than 1.1',
  PREFLIGHT_SNI_REFUSED: ({ tls, masterHost }) =>
    `it does not answer to the name ${tls.masterCertName || masterHost}`,
  PREFLIGHT_HANDSHAKE_REFUSED: () =>
    'it refused the TLS handshake: no common algorithm, or it wants a client certificate',
  PREFLIGHT_CLIENT_CERT_REQUIRED: () =>
    'it wants a client certificate it accepts (security.tls.client_cert, security.tls.client_key)',
}

/** `error` is what `connectAgentSocket` threw, or what stood in the way of calling it. */
export function dialFault(error: unknown, options: AgentOptions): DialFault & { code?: PreflightCode } {
  const [first] = error instanceof ProvisionError ? error.problems : []
  if (first && first.code !== 'AGENT_DIAL_FAILED') return { reason: refusal(first) }
  const cause = (first?.cause ?? error) as NodeJS.ErrnoException
  const fault = withTlsCode(rootFault(cause) ?? cause)
  const code = classify({ phase: 'handshake', fault, timedOut: false, presented: [] })
  if (code === 'PREFLIGHT_FAILED') return { reason: plain(fault) }
  return {
    code,
    kind: code.slice('PREFLIGHT_'.length),
    reason: words[code]?.(options, fault) ?? plain(fault),
  }
}

/** The master's own words, where it answered. */
function refusal({ code, message, details }: Problem): string {
  if (code !== 'AGENT_REFUSED') return message
  return `it answered with status ${details?.['status']}: ${details?.['message'] || 'no reason given'}`
}

/** Without Node's advice about its own options. */
function plain(fault: Error): string {
  return fault.message.split(/[;\n]/)[0]?.trim() || fault.name
}
