// Which names a certificate is valid for: only names that both Go and OpenSSL accept.

import type { X509Certificate } from 'node:crypto'
import { domainToASCII } from 'node:url'
import { ipVersion } from '../platform/index.ts'
import type { Certificate } from './certificate.ts'

const hostname = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i

/** A host name (RFC 1123 section 2.1): letters, digits and hyphens; no trailing dot, no IP address. */
export function isHostname(name: string): boolean {
  return ipVersion(name) === 0 && hostname.test(name) && !/^[0-9.]+$/.test(name)
}

/**
 * Whether an agent (Go) and a task (OpenSSL) both accept `name` for this certificate.
 * OpenSSL also falls back to the common name and accepts partial wildcards; Go also accepts `*.local`.
 */
export function covers(x509: X509Certificate, name: string): boolean {
  if (ipVersion(name)) return x509.checkIP(name) !== undefined
  // Host names have no underscores, but all verifiers accept them in an exact entry. Under a wildcard OpenSSL does not.
  const exact = /^[a-z0-9_.-]+$/i.test(name) && name.includes('_')
  if (!isHostname(exact ? name.replaceAll('_', 'x') : name)) return false
  return x509.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined
}

/** A name in the form for comparisons: lower case, IDN as punycode, without trailing dot or brackets. */
export function canonicalName(name: string): string {
  const bare = name.trim().replace(/^\[(.*)\]$/, '$1')
  if (ipVersion(bare)) return bare.toLowerCase()
  const ascii = /[^\x00-\x7f]/.test(bare) ? domainToASCII(bare) : bare
  return ascii.toLowerCase().replace(/\.$/, '')
}

/** Names of the certificate that an agent can be configured to verify, in the certificate's order. */
export function usableNames(certificate: Certificate): {
  concrete: string[]
  wildcards: string[]
  ips: string[]
} {
  const dns = certificate.fields.names
    .filter((name) => name.kind === 'dns')
    .map((name) => name.value.toLowerCase())
  return {
    concrete: dns.filter((name) => !name.includes('*') && covers(certificate.x509, name)),
    wildcards: dns.filter((name) => name.startsWith('*.') && covers(certificate.x509, underWildcard(name))),
    ips: certificate.fields.names
      .filter((name) => name.kind === 'ip' && ipVersion(name.value))
      .map((name) => name.value),
  }
}

/** A concrete name that matches `*.rest`; it needs no DNS record. */
export function underWildcard(wildcard: string): string {
  return wildcard.replace('*', 'determined-master')
}
