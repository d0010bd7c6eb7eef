// Distinguishes IP addresses from names, and gives each address one form.
import { isIPv4, isIPv6 } from 'node:net'

/**
 * 4, 6, or 0 for text that is not an IP address. Brackets and zones (`%eth0`) are not allowed: URLs and certificates have no zones.
 * A name is not compared with IPv6: the first isIPv6() of a process takes 4 ms.
 */
export function ipVersion(text: string): 4 | 6 | 0 {
  if (!text.includes(':')) return isIPv4(text) ? 4 : 0
  return isIPv6(text) && !text.includes('%') ? 6 : 0
}

/**
 * The address in the form that sockets report, which is the one of RFC 5952 for IPv6; undefined for anything else. Clouds also
 * report long forms, such as `2600:1900:4000:8a2c:0:0:0:0`.
 */
export function canonicalAddress(text: string): string | undefined {
  const version = ipVersion(text)
  if (version === 0) return undefined
  return version === 4 ? text : new URL(`http://[${text}]`).hostname.slice(1, -1)
}
