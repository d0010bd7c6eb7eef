// Certificate extensions (RFC 5280 section 4.2), valid or invalid.
import { bitString, integer, ipBytes, nothing, octets, oid, sequence, tlv, yes } from './der-writer.ts'
import type { TestKey } from './test-keys.ts'

export function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [yes()] : []), octets(value))
}

export function basicConstraints({
  ca,
  pathLength,
  critical = true,
}: {
  ca: boolean
  pathLength?: number
  critical?: boolean
}): Buffer {
  const parts = [...(ca ? [yes()] : []), ...(pathLength === undefined ? [] : [integer(pathLength)])]
  return extension('2.5.29.19', sequence(...parts), critical)
}

const usages = [
  'digitalSignature',
  'contentCommitment',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
] as const
export type Usage = (typeof usages)[number]

export function keyUsage(...wanted: Usage[]): Buffer {
  const byte = wanted.reduce((bits, usage) => bits | (0x80 >> usages.indexOf(usage)), 0)
  // DER: trailing zero bits are counted as unused.
  const unused = byte === 0 ? 0 : 31 - Math.clz32(byte & -byte)
  return extension('2.5.29.15', bitString(Buffer.from([byte]), unused), true)
}

export const purpose = {
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
  any: '2.5.29.37.0',
} as const

export function extendedKeyUsage(...ids: string[]): Buffer {
  return extension('2.5.29.37', sequence(...ids.map(oid)))
}

export const dns = (name: string) => tlv(0x82, Buffer.from(name, 'latin1'))
export const ip = (address: string) => tlv(0x87, ipBytes(address))
export const uri = (value: string) => tlv(0x86, Buffer.from(value, 'latin1'))
export const email = (value: string) => tlv(0x81, Buffer.from(value, 'latin1'))
/** A Microsoft user principal name. */
export const otherName = (value: string) =>
  tlv(0xa0, oid('1.3.6.1.4.1.311.20.2.3'), tlv(0xa0, tlv(0x0c, Buffer.from(value))))

export function subjectAltName(...names: Buffer[]): Buffer {
  return extension('2.5.29.17', sequence(...names))
}

export function subjectKeyId(key: TestKey): Buffer {
  return extension('2.5.29.14', octets(key.id))
}

export function authorityKeyId(key: TestKey, critical = false): Buffer {
  return extension('2.5.29.35', sequence(tlv(0x80, key.id)), critical)
}

/** With all its parts: the key of the issuer, the issuer of the issuer's certificate, and its serial number. */
export function fullAuthorityKeyId(key: TestKey, itsIssuer: Buffer, serial: Buffer): Buffer {
  return extension(
    '2.5.29.35',
    sequence(tlv(0x80, key.id), tlv(0xa1, tlv(0xa4, itsIssuer)), tlv(0x82, serial)),
  )
}

/** Each entry is the DER of a GeneralName. */
export function nameConstraints({
  permitted = [],
  excluded = [],
  critical = true,
}: {
  permitted?: Buffer[]
  excluded?: Buffer[]
  critical?: boolean
}): Buffer {
  const list = (tag: number, names: Buffer[]) =>
    names.length === 0 ? [] : [tlv(tag, ...names.map((name) => sequence(name)))]
  return extension('2.5.29.30', sequence(...list(0xa0, permitted), ...list(0xa1, excluded)), critical)
}

/** Address and mask, in the form of name constraints. */
export const ipRange = (address: string, mask: string) => tlv(0x87, ipBytes(address), ipBytes(mask))

/** RFC 3779: prefixes of IPv4 as bytes, such as `[10, 1]`; `inherit`: those of the issuer. */
export function addressBlocks(prefixes: number[][] | 'inherit', critical = false): Buffer {
  const choice =
    prefixes === 'inherit' ? nothing() : sequence(...prefixes.map((bytes) => bitString(Buffer.from(bytes))))
  return extension('1.3.6.1.5.5.7.1.7', sequence(sequence(octets(Buffer.from([0, 1])), choice)), critical)
}

/** RFC 3779: numbers and ranges of autonomous systems. */
export function asNumbers(numbers: (number | [number, number])[] | 'inherit', critical = false): Buffer {
  const choice =
    numbers === 'inherit'
      ? nothing()
      : sequence(
          ...numbers.map((one) =>
            typeof one === 'number' ? integer(one) : sequence(integer(one[0]), integer(one[1])),
          ),
        )
  return extension('1.3.6.1.5.5.7.1.8', sequence(tlv(0xa0, choice)), critical)
}
