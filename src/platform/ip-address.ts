// Distinguishes IP addresses from names.
import { isIPv4, isIPv6 } from 'node:net'

/**
 * 4, 6, or 0 for text that is not an IP address. Brackets and zones (`%eth0`) are not allowed: URLs and certificates have no zones.
 * A name is not compared with IPv6: the first isIPv6() of a process takes 4 ms.
 */
export function ipVersion(text: string): 4 | 6 | 0 {
  if (!text.includes(':')) return isIPv4(text) ? 4 : 0
  return isIPv6(text) && !text.includes('%') ? 6 : 0
}
