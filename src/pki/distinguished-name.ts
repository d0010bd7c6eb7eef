// A subject or issuer: the attributes that are checked or shown.
import { type Der, DerError, derChildren, derOid, derSequence, derTag } from './der.ts'

export interface NameAttribute {
  type: string
  /** Tag of its string type. */
  stringTag: number
  bytes: Buffer
}

const shortNames: Record<string, string> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
}

/** The attributes of an RDNSequence, in order. Throws DerError. */
export function nameAttributes(name: Der): NameAttribute[] {
  return nameParts(name).flat()
}

/** The sets of an RDNSequence, nearly always of one attribute each. Throws DerError. */
export function nameParts(name: Der): NameAttribute[][] {
  return derSequence(name).map((rdn) =>
    derSequence(rdn, derTag.set).map((attribute) => {
      const [type, value, ...more] = derChildren(attribute.content)
      if (!value || more.length > 0) throw new DerError('has a malformed attribute in a name')
      return { type: derOid(type), stringTag: value.tag, bytes: value.content }
    }),
  )
}

/** `CN=master, O=Example`: the common name first, the rest from the most specific upwards. */
export function showDistinguishedName(attributes: NameAttribute[]): string {
  if (attributes.length === 0) return '(empty name)'
  const parts = attributes
    .map((attribute) => `${shortNames[attribute.type] ?? attribute.type}=${attributeText(attribute)}`)
    .reverse()
  const common = parts.filter((part) => part.startsWith('CN='))
  return [...common, ...parts.filter((part) => !part.startsWith('CN='))].join(', ')
}

/**
 * Equal for names that differ only in string type, ASCII case or blanks, as OpenSSL compares them (crypto/x509/x_name.c,
 * asn1_string_canon). Strings of other types are compared byte by byte.
 */
export function nameKey(attributes: NameAttribute[]): string {
  const canonical = (attribute: NameAttribute) => {
    if (!comparedAsText.has(attribute.stringTag))
      return `${attribute.stringTag} ${attribute.bytes.toString('hex')}`
    const text = decode(attribute).replace(/^[ \t-\r]+|[ \t-\r]+$/g, '')
    return text.replace(/[ \t-\r]+/g, ' ').replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  }
  return JSON.stringify(attributes.map((attribute) => [attribute.type, canonical(attribute)]))
}

/** UTF8String, PrintableString, T61String, IA5String, VisibleString, UniversalString, BMPString. */
const comparedAsText = new Set([0x0c, 0x13, 0x14, 0x16, 0x1a, 0x1c, 0x1e])

export function attributeText(attribute: NameAttribute): string {
  return visible(decode(attribute))
}

function decode({ stringTag, bytes }: NameAttribute): string {
  if (stringTag === bmpString) return decodeBmp(bytes)
  return bytes.toString(stringTag === 0x14 ? 'latin1' : 'utf8')
}

/** Replaces control and format characters: a name from an untrusted server must not move the cursor or hide text. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD')
}

const bmpString = 0x1e

function decodeBmp(bytes: Buffer): string {
  return Buffer.from(bytes.subarray(0, bytes.length & ~1))
    .swap16()
    .toString('utf16le')
}

// GeneralName (RFC 5280 section 4.2.1.6): the entries of subjectAltName and of name constraints.

export type NameKind = 'dns' | 'ip' | 'email' | 'uri' | 'directory' | 'other'

export interface GeneralName {
  kind: NameKind
  /** Text of dns, email and uri (one character per byte); the address of ip; empty for the others. */
  value: string
  /** Content of the element. */
  bytes: Buffer
  /** The tag, and for otherName its type: a constraint applies to names of the same form. */
  form: string
}

/** Tags of rfc822Name, dNSName, URI, iPAddress and directoryName; all other kinds are `other`. */
const kinds: Record<number, NameKind> = {
  129: 'email',
  130: 'dns',
  134: 'uri',
  135: 'ip',
  164: 'directory',
}

export function generalName(element: Der): GeneralName {
  const kind = kinds[element.tag] ?? 'other'
  const bytes = element.content
  const type = element.tag === otherNameTag ? bytes.subarray(0, 2 + (bytes[1] ?? 0)).toString('hex') : ''
  const form = `${element.tag} ${type}`
  if (kind === 'ip') return { kind, value: ipText(bytes), bytes, form }
  const isText = kind === 'dns' || kind === 'email' || kind === 'uri'
  return { kind, value: isText ? bytes.toString('latin1') : '', bytes, form }
}

const otherNameTag = 0xa0

/** For messages: `DNS:master.example.com`, `IP:10.0.0.1`. Unprintable characters are escaped. */
export function showName(name: GeneralName): string {
  const value = name.value.replace(
    /[^\x20-\x7e]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  if (name.kind === 'dns' || name.kind === 'ip') return `${name.kind.toUpperCase()}:${value}`
  return value ? `${name.kind}:${value}` : name.kind
}

/** Dotted IPv4, or IPv6 in the form of RFC 5952; hex for any other length. */
export function ipText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) return bytes.toString('hex')
  const text = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(':')
  const zeros = [...text.matchAll(/(?<![0-9a-f])0(?::0)+(?![0-9a-f])/g)]
  const longest = zeros.sort((a, b) => b[0].length - a[0].length)[0]
  if (!longest) return text
  const head = text.slice(0, longest.index).replace(/:$/, '')
  const tail = text.slice(longest.index + longest[0].length).replace(/^:/, '')
  return `${head}::${tail}`
}
