// The certificates of the file, and their order.
import { testKey } from '../test-keys.ts'
import { day, type Issued, now } from '../x509.ts'
import { authorityKeyId, dns, fullAuthorityKeyId, subjectAltName } from '../x509-extensions.ts'
import { authority, masterName, server } from '../x509-profiles.ts'
import { everyone, joined, made, opensslSays, rootless, rootSays, type Shape, threeOf } from './shape.ts'

const orders: [string, number[]][] = [
  ['leaf, root, intermediate', [0, 2, 1]],
  ['intermediate, leaf, root', [1, 0, 2]],
  ['intermediate, root, leaf', [1, 2, 0]],
  ['root, leaf, intermediate', [2, 0, 1]],
  ['root, intermediate, leaf', [2, 1, 0]],
]

/** Leaf, intermediate, root, and a second intermediate with the same key under another root. */
function crossSigned(old: { notAfter?: number } = {}): Issued[] {
  const [leaf, intermediate, root] = threeOf()
  const other = authority('Other Root', old)
  const twin = authority('Test Intermediate', { key: intermediate.key, issuer: other, ...old })
  return [leaf, twin, other, intermediate, root]
}

function unrelated(): Issued {
  return authority('Unrelated CA')
}

export const chainShapes: Shape[] = [
  {
    name: 'leaf, root',
    make: () => {
      const root = authority('Test Root')
      return made([server(root), root])
    },
    codes: [],
    plan: { chain: 2 },
  },
  ...orders.map(
    ([name, order]): Shape => ({
      name,
      make: () => {
        const three = threeOf()
        return made(
          order.map((index) => three[index]!),
          { leaf: three[0] },
        )
      },
      codes: ['TLS_CHAIN_ORDER'],
    }),
  ),
  {
    name: 'root, intermediate, leaf, and no key to identify the leaf',
    make: () => {
      const three = threeOf()
      return { ...made([...three].reverse(), { leaf: three[0] }), key: undefined }
    },
    codes: ['TLS_CHAIN_ORDER'],
  },
  { name: 'no key at all', make: () => ({ ...made(threeOf()), key: undefined }), codes: [] },
  {
    name: 'single self-signed certificate',
    make: () => made([server()]),
    codes: ['TLS_SELF_SIGNED_RENEWAL'],
    plan: { chain: 1 },
  },
  {
    name: 'single self-signed CA without keyUsage, as `openssl req -x509` creates it',
    make: () =>
      made([
        authority('master', {
          key: testKey('p256', 'server'),
          usage: null,
          extra: [subjectAltName(dns(masterName))],
        }),
      ]),
    codes: ['TLS_SELF_SIGNED_RENEWAL'],
    plan: { chain: 1 },
  },
  { name: 'cross-signed intermediate', make: () => made(crossSigned()), codes: [] },
  {
    name: 'cross-signed intermediate whose other path has expired',
    make: () => made(crossSigned({ notAfter: now - day })),
    codes: [],
  },
  {
    name: 'missing root',
    make: () => made(threeOf().slice(0, 2)),
    codes: ['TLS_ISSUER_MISSING'],
    clients: rootless,
  },
  {
    name: 'missing intermediate',
    make: () => {
      const [leaf, , root] = threeOf()
      return made([leaf, root])
    },
    codes: ['TLS_ISSUER_MISSING', 'TLS_CHAIN_EXTRA'],
    clients: rootless,
  },
  {
    name: 'leaf alone, its issuer elsewhere',
    make: () => made(threeOf().slice(0, 1)),
    codes: ['TLS_ISSUER_MISSING'],
    clients: rootless,
  },
  {
    name: 'root with the right name and another key',
    make: () => {
      const [leaf, intermediate] = threeOf()
      const rekeyed = authority('Test Root', { key: testKey('p256', 'another') })
      return made([leaf, intermediate, rekeyed])
    },
    codes: ['TLS_ISSUER_MISSING', 'TLS_CHAIN_EXTRA'],
    clients: rootless,
  },
  {
    name: 'issued under a well-known CA, which is not in the file',
    make: () => {
      const [leaf, intermediate, root] = threeOf()
      return { ...made([leaf, intermediate]), anchors: root.pem }
    },
    ask: { roots: () => [threeOf()[2].pem] },
    codes: [],
    plan: { mode: 'system', chain: 0 },
  },
  {
    name: 'an unrelated CA beside the chain',
    make: () => made([...threeOf(), unrelated()]),
    codes: ['TLS_CHAIN_EXTRA'],
  },
  {
    name: 'an unrelated certificate that Go cannot read beside the chain',
    make: () => made([...threeOf(), authority('Odd CA', { key: testKey('brainpool', 'odd') })]),
    codes: ['TLS_CHAIN_EXTRA', 'TLS_KEY_TYPE'],
    clients: { go: 'unreadable', goNew: 'unreadable' },
  },
  {
    name: 'every certificate twice',
    make: () => {
      const three = threeOf()
      return { ...made(three), cert: joined([...three, ...three]) }
    },
    codes: ['TLS_CHAIN_DUPLICATE'],
  },
  {
    name: 'leaf expired',
    make: () => made(threeOf({ server: { notBefore: now - 30 * day, notAfter: now - day } })),
    codes: ['TLS_EXPIRED'],
    clients: everyone('expired'),
  },
  {
    name: 'leaf not valid yet',
    make: () => made(threeOf({ server: { notBefore: now + day } })),
    codes: ['TLS_NOT_YET_VALID'],
    clients: everyone('not_yet_valid'),
  },
  {
    name: 'leaf expires soon',
    make: () => made(threeOf({ server: { notBefore: now - 80 * day, notAfter: now + 10 * day } })),
    codes: ['TLS_EXPIRES_SOON'],
  },
  {
    name: 'intermediate expired',
    make: () => made(threeOf({ intermediate: { notAfter: now - day, notBefore: now - 30 * day } })),
    codes: ['TLS_EXPIRED'],
    clients: opensslSays('expired'),
  },
  {
    name: 'intermediate not valid yet',
    make: () => made(threeOf({ intermediate: { notBefore: now + day } })),
    codes: ['TLS_NOT_YET_VALID'],
    clients: opensslSays('not_yet_valid'),
  },
  {
    name: 'root expired',
    make: () => made(threeOf({ root: { notAfter: now - day, notBefore: now - 30 * day } })),
    codes: ['TLS_EXPIRED'],
    clients: rootSays('expired'),
  },
  {
    name: 'single self-signed certificate, expired',
    make: () => made([server(undefined, { notBefore: now - 30 * day, notAfter: now - day })]),
    codes: ['TLS_EXPIRED'],
    clients: everyone('expired'),
  },
  {
    name: 'CA renewed under the same key, and a key identifier with the serial number of the old one',
    make: () => {
      const old = authority('Test Root', { serial: Buffer.from([1]) })
      const renewed = authority('Test Root', { serial: Buffer.from([2]) })
      const extra = [fullAuthorityKeyId(old.key, old.subject, Buffer.from([1]))]
      return made([server(old, { aki: false, extra }), renewed])
    },
    codes: ['TLS_KEY_IDENTIFIER'],
    clients: rootSays('untrusted'),
  },
  {
    name: 'the same with both certificates of the CA',
    make: () => {
      const old = authority('Test Root', { serial: Buffer.from([1]) })
      const renewed = authority('Test Root', { serial: Buffer.from([2]) })
      const extra = [fullAuthorityKeyId(old.key, old.subject, Buffer.from([1]))]
      return made([server(old, { aki: false, extra }), renewed, old])
    },
    codes: ['TLS_CHAIN_EXTRA'],
    plan: { chain: 2 },
  },
  {
    name: 'root whose key identifier names another certificate',
    make: () => made(threeOf({ root: { extra: [authorityKeyId(testKey('p256', 'another'))] } })),
    codes: ['TLS_KEY_IDENTIFIER'],
    clients: rootSays('untrusted'),
  },
]
