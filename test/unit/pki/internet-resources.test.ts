// RFC 3779: OpenSSL wants the addresses and numbers of a server certificate in every certificate above it.
import { describe, expect, test } from 'vitest'
import { parseTlsCredentials } from '../../../src/pki/credentials.ts'
import { bitString, integer, nothing, octets, sequence, tlv } from '../../support/der-writer.ts'
import { joined, threeOf } from '../../support/shapes/shape.ts'
import { now } from '../../support/x509.ts'
import { addressBlocks, asNumbers, extension } from '../../support/x509-extensions.ts'

/** Extensions of the server certificate, the intermediate and the root. */
type Three = [server: Buffer[], intermediate: Buffer[], root: Buffer[]]

function messages([server, intermediate, root]: Three): string[] {
  const file = threeOf({
    server: { extra: server },
    intermediate: { extra: intermediate },
    root: { extra: root },
  })
  const { problems } = parseTlsCredentials(joined(file), undefined, { now })
  return problems.map(({ code, message }) => `${code} ${message}`)
}

const addresses = (...prefixes: number[][]) => [addressBlocks(prefixes)]
const inherited = [addressBlocks('inherit')]
const numbers = (...list: (number | [number, number])[]) => [asNumbers(list)]
const beyond = 'does not have all IP addresses or AS numbers'
const inheriting = 'is a root that inherits'
const notCanonical = 'not sorted, or not in their shortest form'
const blocks = (...families: Buffer[]) => [extension('1.3.6.1.5.5.7.1.7', sequence(...families))]
const family = (afi: number[], ...items: Buffer[]) => sequence(octets(Buffer.from(afi)), sequence(...items))
const range = (first: number[], last: number[]) =>
  sequence(bitString(Buffer.from(first)), bitString(Buffer.from(last)))

const v4 = [0, 1]
const v6 = [0, 2]
const ten = bitString(Buffer.from([10]))
const both = blocks(family(v4, ten), family(v6, bitString(Buffer.from([0x20, 1]))))

describe('accepted', () => {
  test.each<[string, Three]>([
    [
      'addresses inside those of each CA',
      [addresses([10, 1], [10, 3]), addresses([10]), addresses([10], [12])],
    ],
    ['inherited addresses', [inherited, inherited, addresses([10])]],
    ['an intermediate that inherits', [addresses([10, 1]), inherited, addresses([10])]],
    ['CAs only, even if they do not fit', [[], addresses([11]), addresses([10])]],
    ['inherited addresses that nobody has', [inherited, [], []]],
    [
      'a range that is no prefix',
      [blocks(family(v4, range([10, 1], [10, 3]))), addresses([10]), addresses([10])],
    ],
    ['addresses of both families', [both, both, both]],
    ['numbers', [numbers(5, [7, 9]), numbers([1, 100]), numbers([1, 100], 900)]],
    ['inherited numbers', [[asNumbers('inherit')], numbers([1, 100]), numbers([1, 100])]],
  ])('%s', (_, three) => {
    expect(messages(three)).toEqual([])
  })

  test.each([
    ['addresses', addressBlocks([[10]], true)],
    ['numbers', asNumbers([1], true)],
  ])('critical %s of CAs, with a warning: Go does not know them', (_, critical) => {
    expect(messages([[], [critical], [critical]])).toEqual([
      expect.stringMatching(/^TLS_RENEWAL_REFUSED the intermediate .* as critical, which Go does not know/),
      expect.stringMatching(/^TLS_RENEWAL_REFUSED the root .* as critical, which Go does not know/),
    ])
  })
})

describe('refused', () => {
  test.each<[string, Three, string]>([
    ['addresses beyond those of the CA', [addresses([11]), addresses([10]), addresses([10])], beyond],
    ['addresses beyond those of the root', [addresses([10]), addresses([10]), addresses([10, 1])], beyond],
    ['addresses of CAs without any', [addresses([10]), [], []], beyond],
    ['an intermediate without any', [addresses([10]), [], addresses([10])], beyond],
    ['addresses of another family', [both, addresses([10]), both], beyond],
    ['a root that inherits addresses', [addresses([10]), addresses([10]), inherited], inheriting],
    ['numbers beyond those of the CA', [numbers([5, 101]), numbers([1, 100]), numbers([1, 100])], beyond],
    ['numbers of CAs without any', [numbers(5), [], []], beyond],
    [
      'a root that inherits numbers',
      [[asNumbers('inherit')], numbers(5), [asNumbers('inherit')]],
      inheriting,
    ],
    ['addresses in no order', [addresses([11], [9]), addresses([8]), []], notCanonical],
    ['adjacent addresses', [addresses([10], [11]), addresses([8]), []], notCanonical],
    ['overlapping addresses', [addresses([10], [10, 1]), addresses([8]), []], notCanonical],
    ['a range that is a prefix', [blocks(family(v4, range([10], [10]))), [], []], notCanonical],
    [
      'a range that ends before it begins',
      [blocks(family(v4, range([10, 3], [10, 1]))), [], []],
      notCanonical,
    ],
    ['too many bits', [blocks(family(v4, bitString(Buffer.alloc(5)))), [], []], notCanonical],
    ['an unknown family', [blocks(family([0, 3], ten)), [], []], notCanonical],
    ['families in no order', [blocks(family(v6, ten), family(v4, ten)), [], []], notCanonical],
    ['a family without addresses', [blocks(family(v4)), [], []], notCanonical],
    ['numbers of the CA in no order', [numbers(5), numbers(7, 5), numbers([1, 9])], notCanonical],
  ])('%s', (_, three, what) => {
    expect(messages(three)).toEqual([expect.stringMatching(new RegExp(`^TLS_OPENSSL_REFUSES .*${what}`))])
  })

  test.each<[string, Buffer[]]>([
    ['a list that is NULL', [extension('1.3.6.1.5.5.7.1.7', nothing())]],
    ['a family of one part', [extension('1.3.6.1.5.5.7.1.7', sequence(sequence(octets(Buffer.from(v4)))))]],
    ['an odd NULL', blocks(sequence(octets(Buffer.from(v4)), tlv(0x05, Buffer.alloc(1))))],
    ['addresses as numbers', blocks(family(v4, integer(1)))],
    ['an unknown part of numbers', [extension('1.3.6.1.5.5.7.1.8', sequence(tlv(0xa2, nothing())))]],
  ])('with %s, in a CA too', (_, odd) => {
    expect(messages([[], odd, []])).toEqual([
      expect.stringMatching(/^TLS_OPENSSL_REFUSES the intermediate .* has the extension/),
    ])
  })
})
