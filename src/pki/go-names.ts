// Which names Go can read in a certificate and in name constraints. Where its versions differ, all of them must accept.
import { isUtf8 } from 'node:buffer'
import { ipVersion } from '../platform/index.ts'

/** Whether Go reads an attribute of a subject or issuer (crypto/x509, parseASN1String). */
export function isGoString(tag: number, bytes: Buffer): boolean {
  const text = bytes.toString('latin1')
  switch (tag) {
    case 0x0c: // UTF8String
      return isUtf8(bytes)
    case 0x12: // NumericString
      return /^[0-9 ]*$/.test(text)
    case 0x13: // PrintableString; Go lets * and & pass
      return /^[A-Za-z0-9 '()+,\-./:=?*&]*$/.test(text)
    case 0x14: // T61String
      return true
    case 0x16: // IA5String
      return isAscii(text)
    case 0x1e: // BMPString
      return isGoBmp(bytes)
    default:
      return false
  }
}

/** Without surrogates and code points that are no characters, which Go 1.23 still accepted. */
function isGoBmp(bytes: Buffer): boolean {
  if (bytes.length % 2 !== 0) return false
  for (let i = 0; i < bytes.length; i += 2) {
    const point = bytes.readUInt16BE(i)
    if (point >= 0xfffe || (point >= 0xfdd0 && point <= 0xfdef) || (point >= 0xd800 && point <= 0xdfff))
      return false
  }
  return true
}

export function isAscii(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text)
}

/** A domain with visible characters and no empty label (domainToReverseLabels, since Go 1.25 domainNameValid). */
export function isGoDomain(domain: string): boolean {
  return domain === '' || /^[\x21-\x2d\x2f-\x7e]+(?:\.[\x21-\x2d\x2f-\x7e]+)*$/.test(domain)
}

/** A domain constraint may begin with a dot. */
export function isGoDomainConstraint(constraint: string): boolean {
  return isAscii(constraint) && isGoDomain(constraint.replace(/^\./, '')) && constraint !== '.'
}

/** A mailbox (RFC 2821), or a domain. */
export function isGoEmailConstraint(constraint: string): boolean {
  return constraint.includes('@')
    ? isAscii(constraint) && goMailbox(constraint) !== undefined
    : isGoDomainConstraint(constraint)
}

export function isGoUriConstraint(constraint: string): boolean {
  return isGoDomainConstraint(constraint) && ipVersion(constraint.split('%')[0]!) === 0
}

/** The two parts of an e-mail address as Go takes them apart (parseRFC2821Mailbox); undefined if it cannot. */
export function goMailbox(address: string): { local: string; domain: string } | undefined {
  const quoted = /^"((?:\\[\x01-\x09\x0b\x0c\x0e-\x7f]|[\x01-\x08\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f])*)"@/
  const atoms = /^((?:\\[\s\S]|[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.])+)@/
  const found = quoted.exec(address) ?? atoms.exec(address)
  if (!found) return undefined
  const local = found[1]!.replace(/\\([\s\S])/g, '$1')
  const domain = address.slice(found[0].length)
  if (!address.startsWith('"') && /^\.|\.$|\.\./.test(local)) return undefined
  return isGoDomain(domain) ? { local, domain } : undefined
}

const escaped = '%[0-9A-Fa-f]{2}'
/** A host may contain any of these, and escapes of bytes beyond ASCII only. */
const hostCharacters = /^(?:[A-Za-z0-9\-_.~!$&'()*+,;=:<>"]|%[89A-Fa-f][0-9A-Fa-f]|%25)*$/
const userCharacters = new RegExp(`^(?:[A-Za-z0-9\\-._:~!$&'()*+,;=@]|${escaped})*$`)
/** An escape of what a host may contain unescaped, or of a blank. */
const zoneCharacters =
  /^(?:[A-Za-z0-9\-_.~!$&'()*+,;=:<>"]|%25|%2[01246-9A-Ea-e]|%3[0-9A-Ea-e]|%[46][1-9A-Fa-f]|%5[0-9AaBbDdFf]|%7[0-9AaEe])*$/

/** The host of a URI, with its port, as Go reads it (net/url, Parse); undefined if Go cannot read the URI. */
export function goUriHost(uri: string): string | undefined {
  if (!isAscii(uri)) return undefined
  const [beforeFragment = '', fragment = ''] = cut(uri, '#')
  if (!hasGoodEscapes(fragment) || /[\x00-\x1f\x7f]/.test(beforeFragment)) return undefined
  if (beforeFragment.startsWith(':')) return undefined
  if (beforeFragment === '*') return ''
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(beforeFragment)?.[1]
  const [rest = ''] = cut(
    scheme === undefined ? beforeFragment : beforeFragment.slice(scheme.length + 1),
    '?',
  )
  if (!rest.startsWith('/')) {
    if (scheme !== undefined) return ''
    if (cut(rest, '/')[0]!.includes(':')) return undefined
  }
  const hasAuthority = rest.startsWith('//') && (scheme !== undefined || !rest.startsWith('///'))
  if (!hasAuthority) return hasGoodEscapes(rest) ? '' : undefined
  const [authority = '', path = ''] = cut(rest.slice(2), '/')
  if (!hasGoodEscapes(path)) return undefined
  const at = authority.lastIndexOf('@')
  if (at >= 0 && !userCharacters.test(authority.slice(0, at))) return undefined
  const host = authority.slice(at + 1)
  return isGoHost(host) ? unescapeHost(host) : undefined
}

/** net/url, parseHost. Since Go 1.26 the part in brackets has to be an IPv6 address. */
function isGoHost(host: string): boolean {
  const literal = /^\[([^[\]]*)\](:[0-9]*)?$/.exec(host)
  if (literal) {
    const [address = '', zone] = cut(literal[1]!, '%25')
    if (zone === '' || (zone !== undefined && !zoneCharacters.test(zone))) return false
    return ipVersion(address) === 6
  }
  const [name = '', port = ''] = cut(host, ':')
  return hostCharacters.test(name) && /^[0-9]*$/.test(port)
}

function unescapeHost(host: string): string {
  return host.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** Whether a certificate with this URI can be read: its host, if it has one, must be a domain. */
export function isGoUri(uri: string): boolean {
  const host = goUriHost(uri)
  return host !== undefined && isGoDomain(host)
}

function hasGoodEscapes(text: string): boolean {
  return !/%(?![0-9A-Fa-f]{2})/.test(text)
}

/** Everything before the separator, and after it; the second part is missing if there is no separator. */
function cut(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)]
}
