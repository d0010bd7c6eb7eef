// Which names a certificate is valid for: the names Go's and OpenSSL's rules both accept, nothing else.

import type { X509Certificate } from 'node:crypto'
import { domainToASCII } from 'node:url'
import { ipVersion } from '../platform/index.ts'
import type { Certificate } from './certificate.ts'

const hostname = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i

/** A DNS name as hosts have it (RFC 1123 section 2.1): letters, digits and hyphens; no trailing dot, no address. */
export function isHostname(name: string): boolean {
  return ipVersion(name) === 0 && hostname.test(name) && !/^[0-9.]+$/.test(name)
}

/**
 * Whether an agent (Go) and a task (OpenSSL) both accept `name` for this certificate.
 * OpenSSL alone would fall back to the common name and take partial wildcards; Go alone would take `*.local`.
 */
export function covers(x509: X509Certificate, name: string): boolean {
  if (ipVersion(name)) return x509.checkIP(name) !== undefined
  // Underscores are in no host name, yet all verifiers take them in an exact entry; OpenSSL not under a wildcard.
  const exact = /^[a-z0-9_.-]+$/i.test(name) && name.includes('_')
  if (!isHostname(exact ? name.replaceAll('_', 'x') : name)) return false
  return x509.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined
}

/** The form a name is compared in: lower case, IDN as punycode, without the dot of a full name or brackets. */
export function canonicalName(name: string): string {
  const bare = name.trim().replace(/^\[(.*)\]$/, '$1')
  if (ipVersion(bare)) return bare.toLowerCase()
  const ascii = /[^\x00-\x7f]/.test(bare) ? domainToASCII(bare) : bare
  return ascii.toLowerCase().replace(/\.$/, '')
}

/** Names of the certificate an agent could be told to verify, in the certificate's order. */
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

/** A concrete name below `*.rest`; it needs no DNS record. */
export function underWildcard(wildcard: string): string {
  return wildcard.replace('*', 'determined-master')
}
