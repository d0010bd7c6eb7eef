// Distinguishes IP addresses from names. node:net's isIP() gives the same result, but its first call takes 4 ms.

const byte = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const ipv4 = new RegExp(`^${byte}(?:\\.${byte}){3}$`)

/** 4, 6, or 0 if it is not an IP address. Brackets and zones (`%eth0`) are not allowed: URLs and certificates have no zones. */
export function ipVersion(text: string): 4 | 6 | 0 {
  if (ipv4.test(text)) return 4
  return text.includes(':') && isIpv6(text) ? 6 : 0
}

/** The forms of RFC 4291 section 2.2. */
function isIpv6(text: string): boolean {
  const [head = '', tail, ...more] = text.split('::')
  if (more.length > 0) return false
  const left = groupsOf(head, tail === undefined)
  const right = tail === undefined ? 0 : groupsOf(tail, true)
  if (left === undefined || right === undefined) return false
  return tail === undefined ? left === 8 : left + right < 8
}

/** Number of 16-bit groups in a part without `::`; undefined when it is malformed. Only the end may be IPv4. */
function groupsOf(part: string, atEnd: boolean): number | undefined {
  if (part === '') return 0
  const words = part.split(':')
  const last = words.at(-1)!
  const dotted = atEnd && ipv4.test(last)
  const hex = dotted ? words.slice(0, -1) : words
  if (!hex.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return undefined
  return hex.length + (dotted ? 2 : 0)
}
