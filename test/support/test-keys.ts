// Keys of every type for test certificates, created once per process and never written to a file.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { integer, octets, oid, sequence } from './der-writer.ts'
import { dsaParameters } from './dsa-parameters.ts'

export type KeyKind =
  | 'p256'
  | 'p384'
  | 'p521'
  | 'p224'
  | 'secp256k1'
  | 'brainpool'
  | 'ed25519'
  | 'ed448'
  | 'rsa1024'
  | 'rsa2048'
  | 'rsa3072'
  | 'rsa-pss'
  | 'dsa'

export interface TestKey {
  kind: KeyKind
  privateKey: KeyObject
  /** DER of SubjectPublicKeyInfo. */
  spki: Buffer
  /** Subject key identifier: SHA-1 of the whole SubjectPublicKeyInfo. */
  id: Buffer
  /** PKCS#8, PEM. */
  pem: string
}

const curves: Partial<Record<KeyKind, string>> = {
  p256: 'P-256',
  p384: 'P-384',
  p521: 'P-521',
  p224: 'secp224r1',
  secp256k1: 'secp256k1',
  brainpool: 'brainpoolP256r1',
}
const keys = new Map<string, TestKey>()

/** The same kind and label give the same key. */
export function testKey(kind: KeyKind = 'p256', label = ''): TestKey {
  const name = `${kind}/${label}`
  let key = keys.get(name)
  if (!key) {
    key = describe(kind, generate(kind))
    keys.set(name, key)
  }
  return key
}

function generate(kind: KeyKind): KeyObject {
  const namedCurve = curves[kind]
  if (namedCurve) return generateKeyPairSync('ec', { namedCurve }).privateKey
  switch (kind) {
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey
    case 'ed448':
      return generateKeyPairSync('ed448').privateKey
    case 'rsa-pss':
      return generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey
    case 'dsa':
      return dsaKey()
    default:
      return generateKeyPairSync('rsa', { modulusLength: Number(kind.slice(3)) }).privateKey
  }
}

/** With fixed parameters: new ones take more than a second. */
function dsaKey(): KeyObject {
  const { p, q, g } = dsaParameters
  const algorithm = sequence(oid('1.2.840.10040.4.1'), sequence(integer(p), integer(q), integer(g)))
  const secret = integer(BigInt(`0x${randomBytes(40).toString('hex')}`) % q)
  const der = sequence(integer(0), algorithm, octets(secret))
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

function describe(kind: KeyKind, privateKey: KeyObject): TestKey {
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { kind, privateKey, spki, id: createHash('sha1').update(spki).digest(), pem }
}
