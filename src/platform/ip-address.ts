// Distinguishes IP addresses from names.
import { isIPv4, isIPv6 } from 'node:net'

/**
 * 4, 6, or 0 for what is no IP address. Without brackets and zone (`%eth0`): URLs and certificates know no zones.
 * A name is not compared with IPv6: the first isIPv6() of a process takes 4 ms.
 */
export function ipVersion(text: string): 4 | 6 | 0 {
  if (!text.includes(':')) return isIPv4(text) ? 4 : 0
  return isIPv6(text) && !text.includes('%') ? 6 : 0
}
