import { describe, expect, test } from 'vitest'
import { decodeText, readPem } from '../../../src/pki/pem.ts'
import { joined, threeOf } from '../../support/shapes/shape.ts'
import { pemOf } from '../../support/x509.ts'

const three = threeOf()
const pem = joined(three)

function faults(text: string) {
  return readPem(text).blocks.map(({ number, line, fault }) => ({ number, line, fault }))
}

test('returns every block with its label, number and line', () => {
  const blocks = readPem(`# a comment\n\n${pem}`).blocks
  expect(blocks.map(({ der }) => der)).toEqual(three.map(({ der }) => der))
  const length = three.map((certificate) => certificate.pem.split('\n').length - 1)
  expect(blocks.map(({ number, line }) => [number, line])).toEqual([
    [1, 3],
    [2, 3 + length[0]!],
    [3, 3 + length[0]! + length[1]!],
  ])
})

describe.each([
  ['LF', (text: string) => text],
  ['CRLF', (text: string) => text.replaceAll('\n', '\r\n')],
  ['CR', (text: string) => text.replaceAll('\n', '\r')],
])('with %s line ends', (_, rewrite) => {
  test('finds the same bytes on the same lines', () => {
    const blocks = readPem(rewrite(`# comment\n${pem}`)).blocks
    expect(blocks.map(({ der }) => der)).toEqual(three.map(({ der }) => der))
    expect(blocks.map(({ line }) => line)).toEqual(
      readPem(`# comment\n${pem}`).blocks.map(({ line }) => line),
    )
  })
})

test.each([
  ['a byte order mark', `\uFEFF${pem}`, ['a byte order mark']],
  ['an umlaut', `# für\n${pem}`, ['characters outside ASCII']],
  ['CR only', pem.replaceAll('\n', '\r'), ['line ends of CR only']],
])('reports format faults of a text with %s', (_, text, untidy) => {
  expect(readPem(text).untidy).toEqual(untidy)
})

test.each([
  ['an old label', pemOf(three[0].der, 'X509 CERTIFICATE'), 'BEGIN X509 CERTIFICATE'],
  ['indentation', pem.replace(/^/gm, '  '), 'indented lines'],
  ['an indented END', three[0].pem.replace('-----END', ' -----END'), 'indented lines'],
  ['blank lines', three[0].pem.replace(/\n/g, '\n\n'), 'blank lines inside the block'],
  ['headers', three[0].pem.replace('\n', '\nProc-Type: 4,CLEAR\n\n'), 'header lines inside the block'],
])('reads a block with %s and reports the format fault', (_, text, untidy) => {
  const block = readPem(text).blocks[0]!
  expect(block.der).toEqual(three[0].der)
  expect(block.untidy).toEqual([untidy])
})

test('of two joined blocks the second has the format fault', () => {
  const blocks = readPem(pem.replace(/\n(?=-----BEGIN)/g, '')).blocks
  expect(blocks.map(({ untidy }) => untidy.length)).toEqual([0, 1, 1])
})

test('plain PEM has no format faults', () => {
  const { blocks, untidy } = readPem(`${pem}\n\n`)
  expect([untidy, ...blocks.map((block) => block.untidy)].flat()).toEqual([])
})

describe('a broken block is reported with its number and line', () => {
  const [first, second] = three.map((certificate) => certificate.pem)
  const line = first!.split('\n').length

  test.each([
    [
      'truncated before the next block',
      `${first}${second!.slice(0, 300)}\n${first}`,
      'it is cut off: its END line is missing',
    ],
    ['truncated at the end', `${first}${second!.slice(0, 300)}`, 'it is cut off: its END line is missing'],
    ['not base64', first + second!.replace('\nMII', '\n*II'), 'it is not valid base64'],
    ['base64 of an odd length', first + second!.replace('\nMII', '\nII'), 'it is not valid base64'],
    ['empty', `${first}-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n`, 'it is empty'],
    [
      'with two labels',
      first + second!.replace('END CERTIFICATE', 'END PRIVATE KEY'),
      'it begins as CERTIFICATE and ends as PRIVATE KEY',
    ],
    [
      'not DER',
      first + pemOf(Buffer.from('hello world!')),
      'its content is not DER: it ends inside an element',
    ],
    [
      'longer than its content',
      first + pemOf(Buffer.concat([three[1].der, Buffer.alloc(2)])),
      '2 bytes follow its content',
    ],
  ])('%s', (_, text, fault) => {
    expect(faults(text)[1]).toEqual({ number: 2, line, fault })
  })

  test('END without BEGIN', () => {
    expect(faults(`-----END CERTIFICATE-----\n${first}`)).toEqual([
      { number: 1, line: 1, fault: 'it has an END line without its BEGIN line' },
      { number: 2, line: 2, fault: undefined },
    ])
  })
})

test.each([
  ['UTF-8', Buffer.from(pem)],
  ['UTF-16 LE with its mark', Buffer.from(`\uFEFF${pem}`, 'utf16le')],
  ['UTF-16 BE with its mark', Buffer.from(`\uFEFF${pem}`, 'utf16le').swap16()],
])('decodes %s', (_, encoded) => {
  expect(readPem(decodeText(encoded)).blocks.map(({ der }) => der)).toEqual(three.map(({ der }) => der))
})
