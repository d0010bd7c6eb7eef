// GeneralName (RFC 5280 section 4.2.1.6): the entries of subjectAltName and of name constraints.
import type { Der } from './der.ts'

export type NameKind = 'dns' | 'ip' | 'email' | 'uri' | 'directory' | 'other'

export interface GeneralName {
  kind: NameKind
  /** Text of dns, email and uri (one character per byte); the address of ip; empty for the others. */
  value: string
  /** Content of the element. */
  bytes: Buffer
}

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
  if (kind === 'ip') return { kind, value: ipText(bytes), bytes }
  const isText = kind === 'dns' || kind === 'email' || kind === 'uri'
  return { kind, value: isText ? bytes.toString('latin1') : '', bytes }
}

/** `DNS:master.example.com`, `IP:10.0.0.1`: what people are shown. Unprintable characters are escaped. */
export function showName(name: GeneralName): string {
  const value = name.value.replace(
    /[^\x20-\x7e]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  if (name.kind === 'dns' || name.kind === 'ip') return `${name.kind.toUpperCase()}:${value}`
  return value ? `${name.kind}:${value}` : name.kind
}

/** Dotted IPv4, or IPv6 in the form of RFC 5952; the hex of what is neither. */
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
