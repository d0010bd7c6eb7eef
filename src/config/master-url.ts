// The parts of master_url, parsed by hand: `new URL` would turn 010.0.0.5 into 8.0.0.5.

import { domainToASCII } from 'node:url'
import type { MasterScheme } from '../pki/index.ts'
import { ipVersion } from '../platform/index.ts'
import { shown } from './report.ts'

export interface MasterUrlParts {
  /** undefined only if master_url is empty. */
  scheme?: MasterScheme
  /** Lower case, without brackets or a final dot; empty if master_url has none. */
  host: string
  port?: number
}

export interface MasterUrlFault {
  code: 'MASTER_URL_INVALID' | 'MASTER_URL_USERINFO'
  message: string
  remedy?: string
}

const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/** `scheme://host:port` only, as in Determined's provisioner (provconfig/config.go); host and port are optional. */
export function parseMasterUrl(text: string): MasterUrlParts | MasterUrlFault {
  if (text === '') return { host: '' }
  // Checked before any value is quoted: the part before an "@" is a secret.
  if (text.includes('@'))
    return { code: 'MASTER_URL_USERINFO', message: 'master_url contains a user name or password' }
  if (/[\s\p{Cc}]/u.test(text))
    return fault(`master_url contains a space or control character: ${shown(text)}`)
  const parts = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/is.exec(text)
  if (!parts)
    return fault(`master_url ${shown(text)} has no scheme`, `Write "https://${authorityOnly(text)}".`)
  const [, scheme = '', authority = '', tail] = parts
  const known = schemeOf(scheme)
  if (!known)
    return fault(
      `the scheme of master_url must be http or https, but is ${shown(scheme)}`,
      'Write "https://" or "http://".',
    )
  if (tail)
    return fault(
      `master_url must end after the port, but continues with ${shown(tail)}`,
      `Write "${known}://${authority}".`,
    )
  return hostAndPort(known, authority)
}

function schemeOf(scheme: string): MasterScheme | undefined {
  const lower = scheme.toLowerCase()
  return lower === 'http' || lower === 'https' ? lower : undefined
}

function hostAndPort(scheme: MasterScheme, authority: string): MasterUrlParts | MasterUrlFault {
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d*))?$/.exec(authority)
  if (!parts) {
    const remedy = ipVersion(authority) === 6 ? `Write "${scheme}://[${authority}]".` : undefined
    return fault(`master_url has no valid host and port: ${shown(authority)}`, remedy)
  }
  const [, bracketed, plain = '', digits] = parts
  const host = bracketed === undefined ? plainHostOf(plain) : ipv6Of(bracketed)
  if (typeof host !== 'string') return host
  const port = digits ? Number(digits) : undefined
  if (port !== undefined && (port < 1 || port > 65_535))
    return fault(`the port of master_url must be from 1 to 65535, but is ${digits}`)
  return { scheme, host, ...(port !== undefined && { port }) }
}

function ipv6Of(text: string): string | MasterUrlFault {
  if (ipVersion(text) === 6) return text.toLowerCase()
  return fault(
    `the host of master_url is not an IPv6 address: ${shown(text)}`,
    'Write it as "[2001:db8::1]", without a zone.',
  )
}

/** An IPv4 address, an alias, or a DNS name as in a certificate (punycode, no final dot). */
function plainHostOf(text: string): string | MasterUrlFault {
  if (text === '' || ipVersion(text) === 4) return text
  if (/^[\d.]+$/.test(text))
    return fault(
      `the host of master_url is not an IPv4 address: ${shown(text)}`,
      'Write four numbers from 0 to 255 without leading zeros.',
    )
  const dotless = text.replace(/\.$/, '')
  const ascii = (/^[\x21-\x7e]*$/.test(dotless) ? dotless : domainToASCII(dotless)).toLowerCase()
  const isName = ascii.length <= 253 && ascii.split('.').every((part) => label.test(part))
  return isName ? ascii : fault(`the host of master_url is not a host name: ${shown(text)}`)
}

function authorityOnly(text: string): string {
  return text.replace(/[/?#].*$/s, '').slice(0, 80)
}

function fault(message: string, remedy?: string): MasterUrlFault {
  return { code: 'MASTER_URL_INVALID', message, ...(remedy && { remedy }) }
}
