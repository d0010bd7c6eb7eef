import { describe, expect, test } from 'vitest'
import { loadTrustAnchors, parseTrustAnchors } from '../../../src/pki/trust-anchors.ts'
import { joined, threeOf } from '../../support/shapes/shape.ts'
import { testKey } from '../../support/test-keys.ts'
import { day, type Issued, now } from '../../support/x509.ts'
import { basicConstraints, purpose } from '../../support/x509-extensions.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const [leaf, intermediate, root] = threeOf()
const other = authority('Other Root')
const expired = { notBefore: now - 30 * day, notAfter: now - day }

function parse(...file: Issued[]) {
  const { anchors, problems } = parseTrustAnchors(joined(file), { now, file: 'ca.pem' })
  return {
    chain: anchors?.certificates.map(({ role, subject }) => `${role} ${subject}`),
    leaf: anchors?.leaf?.subject,
    codes: problems.map(({ code }) => code),
    problems,
  }
}

describe('usable CAs', () => {
  test.each<[string, Issued[], string[]]>([
    ['a root', [root], ['root CN=Test Root']],
    ['two roots', [root, other], ['root CN=Test Root', 'root CN=Other Root']],
    [
      'an intermediate and its root, in any order',
      [root, intermediate],
      ['intermediate CN=Test Intermediate', 'root CN=Test Root'],
    ],
    ['a root twice', [root, root], ['root CN=Test Root']],
    [
      'two intermediates below one root',
      [intermediate, authority('Second', { issuer: root }), root],
      ['intermediate CN=Test Intermediate', 'root CN=Test Root', 'intermediate CN=Second'],
    ],
  ])('%s', (_, file, chain) => {
    expect(parse(...file)).toMatchObject({ chain, leaf: undefined, codes: [] })
  })

  test("a path length of 0 does not exclude the proxy's certificate", () => {
    const narrow = authority('Narrow', { basic: basicConstraints({ ca: true, pathLength: 0 }) })
    expect(parse(narrow).codes).toEqual([])
  })
})

describe("the proxy's own certificate", () => {
  test('alone and self-signed', () => {
    expect(parse(server())).toMatchObject({ chain: ['leaf CN=master'], leaf: 'CN=master', codes: [] })
  })

  test('with its chain: its names are known', () => {
    expect(parse(leaf, intermediate, root)).toMatchObject({ leaf: 'CN=master', codes: [] })
  })

  test("of several certificates, none is used as the proxy's", () => {
    const second = server(root, { subject: 'second', key: testKey('p256', 'second') })
    expect(parse(leaf, second, intermediate, root)).toMatchObject({ leaf: undefined, codes: [] })
  })
})

describe('unusable CAs', () => {
  test.each<[string, Issued[], string[]]>([
    ['an intermediate without its root', [intermediate], ['TLS_ISSUER_MISSING']],
    ['an expired root', [authority('Old Root', expired)], ['TLS_EXPIRED']],
    ['a root that is no CA', [authority('No CA', { basic: null })], ['TLS_NOT_A_CA']],
    [
      'a root for other uses',
      [authority('Clients', { purposes: [purpose.client] })],
      ['TLS_CA_NOT_FOR_SERVERS'],
    ],
    ['a weak root', [authority('Weak', { key: testKey('rsa1024', 'root') })], ['TLS_WEAK_KEY']],
  ])('%s', (_, file, codes) => {
    expect(parse(...file)).toMatchObject({ chain: undefined, codes })
  })

  test('is omitted if another CA is usable, as during a change of roots', () => {
    const { chain, codes, problems } = parse(authority('Old Root', expired), root)
    expect(chain).toEqual(['root CN=Test Root'])
    expect(codes).toEqual(['TLS_CA_LEFT_OUT'])
    expect(problems[0]!.message).toBe('CN=Old Root of ca.pem is left out: TLS_EXPIRED')
  })

  test('a broken block is an error even if the others are usable', () => {
    const { anchors, problems } = parseTrustAnchors(root.pem + other.pem.slice(0, 200), { now })
    expect(anchors).toBeUndefined()
    expect(problems.map(({ code }) => code)).toEqual(['TLS_PEM_BROKEN'])
  })
})

test('a missing file is reported at its setting in the configuration', () => {
  const where = { file: 'master.yaml', line: 3 }
  const { problems } = loadTrustAnchors('/nonexistent/ca.pem', { now, where })
  expect(problems).toEqual([
    expect.objectContaining({
      code: 'TLS_FILE_MISSING',
      message: 'the CA file /nonexistent/ca.pem does not exist',
      where,
    }),
  ])
})
