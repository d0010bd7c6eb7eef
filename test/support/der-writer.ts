// Writes DER, valid or invalid. Shares no code with src/pki/der.ts, so that they do not share mistakes.
import { isIPv4 } from 'node:net'

export function tlv(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const size = content.length
  const length =
    size < 0x80
      ? [size]
      : size < 0x100
        ? [0x81, size]
        : size < 0x10000
          ? [0x82, size >> 8, size & 0xff]
          : [0x83, size >> 16, (size >> 8) & 0xff, size & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}

export const sequence = (...parts: Uint8Array[]) => tlv(0x30, ...parts)
export const set = (...parts: Uint8Array[]) => tlv(0x31, ...parts)
export const octets = (...parts: Uint8Array[]) => tlv(0x04, ...parts)
export const bitString = (bytes: Uint8Array, unused = 0) => tlv(0x03, Buffer.from([unused]), bytes)
export const nothing = () => tlv(0x05)
export const yes = () => tlv(0x01, Buffer.from([0xff]))

/** A non-negative INTEGER. */
export function integer(value: number | bigint | Uint8Array): Buffer {
  let bytes: Buffer
  if (value instanceof Uint8Array) bytes = Buffer.from(value)
  else {
    const hex = value.toString(16)
    bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  }
  return tlv(0x02, bytes[0]! & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes)
}

export function oid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split('.').map(Number)
  const arcs = [first! * 40 + second!, ...rest]
  const bytes = arcs.flatMap((arc) => {
    const groups = [arc & 0x7f]
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128))
      groups.unshift((high & 0x7f) | 0x80)
    return groups
  })
  return tlv(0x06, Buffer.from(bytes))
}

export const stringTag = {
  utf8: 0x0c,
  printable: 0x13,
  t61: 0x14,
  ia5: 0x16,
  visible: 0x1a,
  bmp: 0x1e,
} as const
export type StringType = keyof typeof stringTag

export function text(value: string, type: StringType = 'utf8'): Buffer {
  const bytes =
    type === 'bmp'
      ? Buffer.from(value, 'utf16le').swap16()
      : Buffer.from(value, type === 'utf8' ? 'utf8' : 'latin1')
  return tlv(stringTag[type], bytes)
}

/** UTCTime until 2049, GeneralizedTime after it (RFC 5280 section 4.1.2.5). */
export function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\D/g, '').slice(0, 14)
  const short = Number(digits.slice(0, 4)) < 2050
  return tlv(short ? 0x17 : 0x18, Buffer.from(`${short ? digits.slice(2) : digits}Z`))
}

export function ipBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const words = (part: string) => (part ? part.split(':').map((word) => Number.parseInt(word, 16)) : [])
  const left = words(head)
  const right = tail === undefined ? [] : words(tail)
  const all = [...left, ...Array(8 - left.length - right.length).fill(0), ...right]
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff]))
}
