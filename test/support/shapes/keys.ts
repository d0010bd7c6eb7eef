// Key types, key sizes and signature algorithms.
import { oid, sequence } from '../der-writer.ts'
import { type KeyKind, testKey } from '../test-keys.ts'
import { server } from '../x509-profiles.ts'
import { everyone, goSays, made, opensslSays, rootSays, type Shape, threeOf } from './shape.ts'

/** The whole chain with keys of one kind. */
function ofKind(kind: KeyKind) {
  return threeOf({
    server: { key: testKey(kind, 'server') },
    intermediate: { key: testKey(kind, 'intermediate') },
    root: { key: testKey(kind, 'root') },
  })
}

const oddCurve = 'on Node 24 a verified certificate with a curve that has no NIST name ends the process'

/** A P-256 point in its short form (RFC 5480 section 2.2). */
function compressedPoint() {
  const key = testKey('p256', 'server')
  const point = key.spki.subarray(-64)
  const short = Buffer.concat([Buffer.from([2 + (point[63]! & 1)]), point.subarray(0, 32)])
  const algorithm = sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7'))
  return sequence(algorithm, Buffer.concat([Buffer.from([0x03, short.length + 1, 0]), short]))
}

/** Since 1.25 Go sends servers the signatures it accepts on certificates (RFC 8446 section 4.2.3), and OpenSSL obeys. */
const unoffered = goSays(['handshake', 'ok'])

export const keyShapes: Shape[] = [
  { name: 'ECDSA P-256', make: () => made(threeOf()), codes: [] },
  { name: 'ECDSA P-384', make: () => made(ofKind('p384')), codes: [] },
  { name: 'ECDSA P-521', make: () => made(ofKind('p521')), codes: [] },
  { name: 'RSA-2048', make: () => made(ofKind('rsa2048')), codes: [] },
  {
    name: 'RSA-3072',
    make: () => made(threeOf({ server: { key: testKey('rsa3072', 'server') } })),
    codes: [],
  },
  { name: 'Ed25519', make: () => made(ofKind('ed25519')), codes: [] },
  {
    name: 'RSA keys with RSA-PSS signatures',
    make: () =>
      made(
        threeOf({
          server: { key: testKey('rsa2048', 'server'), pssSalt: 32 },
          intermediate: { key: testKey('rsa2048', 'intermediate'), pssSalt: 32 },
          root: { key: testKey('rsa2048', 'root'), pssSalt: 32 },
        }),
      ),
    codes: [],
  },
  {
    name: 'RSA-PSS signature with an odd salt',
    make: () =>
      made(threeOf({ server: { pssSalt: 20 }, intermediate: { key: testKey('rsa2048', 'intermediate') } })),
    codes: ['TLS_RENEWAL_REFUSED'],
  },
  {
    name: 'RSA-PSS key in the leaf',
    make: () => made(threeOf({ server: { key: testKey('rsa-pss', 'server') } })),
    codes: ['TLS_KEY_TYPE'],
    clients: goSays('handshake'),
  },
  {
    name: 'brainpool leaf',
    make: () => made(threeOf({ server: { key: testKey('brainpool') } })),
    codes: ['TLS_KEY_TYPE'],
    clients: everyone('handshake'),
    notForNode: oddCurve,
  },
  {
    name: 'secp256k1 leaf',
    make: () => made(threeOf({ server: { key: testKey('secp256k1') } })),
    codes: ['TLS_KEY_TYPE'],
    clients: everyone('handshake'),
    notForNode: oddCurve,
  },
  {
    name: 'P-224 leaf',
    make: () => made(threeOf({ server: { key: testKey('p224') } })),
    codes: ['TLS_KEY_TYPE'],
    clients: everyone('handshake'),
  },
  {
    name: 'brainpool root',
    make: () => made(threeOf({ root: { key: testKey('brainpool', 'root') } })),
    codes: ['TLS_KEY_TYPE'],
    clients: goSays('unreadable'),
    notForNode: oddCurve,
  },
  {
    name: 'Ed448 leaf',
    make: () => made(threeOf({ server: { key: testKey('ed448') } })),
    codes: ['TLS_KEY_TYPE'],
    clients: goSays('handshake'),
  },
  {
    name: 'DSA leaf',
    make: () => made(threeOf({ server: { key: testKey('dsa') } })),
    codes: ['TLS_KEY_TYPE'],
    clients: everyone('handshake'),
  },
  {
    name: 'compressed EC point',
    make: () => made(threeOf({ server: { spki: compressedPoint() } })),
    codes: ['TLS_KEY_TYPE'],
    clients: goSays('unreadable'),
  },
  {
    name: 'RSA-1024 leaf',
    make: () => made(threeOf({ server: { key: testKey('rsa1024', 'server') } })),
    codes: ['TLS_WEAK_KEY'],
    clients: opensslSays('weak'),
  },
  {
    name: 'RSA-1024 intermediate',
    make: () => made(threeOf({ intermediate: { key: testKey('rsa1024', 'intermediate') } })),
    codes: ['TLS_WEAK_KEY'],
    clients: opensslSays('weak'),
  },
  {
    name: 'SHA-1 signature on the leaf',
    make: () => made(threeOf({ server: { digest: 'sha1' } })),
    codes: ['TLS_WEAK_SIGNATURE'],
    clients: opensslSays('weak'),
  },
  {
    name: 'MD5 signature on the leaf',
    make: () =>
      made(threeOf({ server: { digest: 'md5' }, intermediate: { key: testKey('rsa2048', 'intermediate') } })),
    codes: ['TLS_WEAK_SIGNATURE'],
    clients: { ...opensslSays('weak'), ...unoffered },
  },
  {
    name: 'SHA-1 signature on the intermediate',
    make: () => made(threeOf({ intermediate: { digest: 'sha1' } })),
    codes: ['TLS_WEAK_SIGNATURE'],
    clients: rootSays('weak'),
  },
  {
    name: 'SHA-1 signature on the root, which no verifier checks',
    make: () => made(threeOf({ root: { digest: 'sha1' } })),
    codes: [],
  },
  {
    name: 'SHA-1 signature on a single self-signed certificate',
    make: () => made([server(undefined, { digest: 'sha1' })]),
    codes: ['TLS_SELF_SIGNED_RENEWAL'],
    plan: { chain: 1 },
  },
  {
    name: 'SHA-224 signature on the leaf',
    make: () => made(threeOf({ server: { digest: 'sha224' } })),
    codes: ['TLS_SIGNATURE_TYPE'],
    clients: unoffered,
  },
]
