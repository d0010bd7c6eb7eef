import { describe, expect, test } from 'vitest'
import type { Certificate } from '../../../src/pki/certificate.ts'
import {
  allPaths,
  dedupe,
  findIssuers,
  findLeaf,
  pickPath,
  readCertificates,
} from '../../../src/pki/chain.ts'
import { joined, threeOf } from '../../support/shapes/shape.ts'
import { testKey } from '../../support/test-keys.ts'
import type { Issued } from '../../support/x509.ts'
import { authority, server } from '../../support/x509-profiles.ts'

function read(...file: Issued[]): Certificate[] {
  return readCertificates(joined(file), 'chain.pem').certificates
}

function pathsOf(certificates: Certificate[]) {
  const issuers = findIssuers(certificates)
  const leaf = findLeaf(issuers)!
  return allPaths(leaf, issuers).map((path) => ({
    names: path.certificates.map((certificate) => certificates.indexOf(certificate)),
    complete: path.complete,
  }))
}

const [leaf, intermediate, root] = threeOf()

test('finds the path in any order', () => {
  expect(pathsOf(read(root, leaf, intermediate))).toEqual([{ names: [1, 2, 0], complete: true }])
})

test('ends where the issuer is missing', () => {
  expect(pathsOf(read(leaf, intermediate))).toEqual([{ names: [0, 1], complete: false }])
  expect(pathsOf(read(leaf, root))).toEqual([{ names: [0], complete: false }])
})

test('a certificate with the right name that did not sign is not an issuer', () => {
  const rekeyed = authority('Test Root', { key: testKey('p256', 'another') })
  expect(pathsOf(read(leaf, intermediate, rekeyed))).toEqual([{ names: [0, 1], complete: false }])
})

test('a certificate that may not sign still counts as an issuer: the checks report it', () => {
  const wrong = threeOf({ intermediate: { usage: null, basic: null } })
  expect(pathsOf(read(...wrong))).toEqual([{ names: [0, 1, 2], complete: true }])
})

describe('cross-signing', () => {
  const other = authority('Other Root')
  const twin = authority('Test Intermediate', { key: intermediate.key, issuer: other })
  const crossRoot = authority('Test Root', { key: root.key, issuer: other })

  test('gives every path', () => {
    expect(pathsOf(read(leaf, intermediate, root, twin, other))).toEqual([
      { names: [0, 1, 2], complete: true },
      { names: [0, 3, 4], complete: true },
    ])
    expect(pathsOf(read(leaf, intermediate, root, crossRoot, other))).toEqual([
      { names: [0, 1, 2], complete: true },
      { names: [0, 1, 3, 4], complete: true },
    ])
  })

  test('prefers a complete path to a shorter incomplete one', () => {
    const certificates = read(leaf, twin, intermediate, root)
    const issuers = findIssuers(certificates)
    const paths = allPaths(certificates[0]!, issuers)
    expect(paths.map(({ complete }) => complete)).toEqual([false, true])
    expect(pickPath(paths, () => 0)).toBe(paths[1])
  })

  test('prefers a path without errors to a shorter one with errors', () => {
    const certificates = read(leaf, intermediate, root, crossRoot, other)
    const paths = allPaths(certificates[0]!, findIssuers(certificates))
    expect(pickPath(paths, () => 0).certificates).toHaveLength(3)
    expect(
      pickPath(paths, (path) => (path.certificates.includes(certificates[2]!) ? 1 : 0)).certificates,
    ).toHaveLength(4)
  })

  test('a root replaced under its own name: the older key signed the newer certificate', () => {
    const older = authority('Test Root', { key: testKey('p256', 'older') })
    const link = authority('Test Root', { key: root.key, issuer: older })
    expect(pathsOf(read(leaf, intermediate, link, older))).toEqual([{ names: [0, 1, 2, 3], complete: true }])
  })

  test('two CAs that signed each other cause no endless loop', () => {
    const a = testKey('p256', 'a')
    const b = testKey('p256', 'b')
    const byB = authority('A', { key: a, issuer: authority('B', { key: b }) })
    const byA = authority('B', { key: b, issuer: authority('A', { key: a }) })
    expect(pathsOf(read(server(byB), byB, byA))).toEqual([{ names: [0, 1, 2], complete: false }])
  })

  test('limits the number of paths of many cross-signed CAs', () => {
    const levels = Array.from({ length: 12 }, (_, level) => testKey('p256', `level ${level}`))
    const cas = levels.flatMap((key, level) => {
      const issuer = levels[level + 1]
      if (!issuer) return [authority(`L${level}`, { key })]
      // Two certificates for each CA: the paths double at each level.
      return [1, 2].map(() =>
        authority(`L${level}`, { key, issuer: authority(`L${level + 1}`, { key: issuer }) }),
      )
    })
    const certificates = read(server(cas[0]!), ...cas)
    expect(allPaths(certificates[0]!, findIssuers(certificates))).toHaveLength(64)
  })
})

describe('the server certificate without a key', () => {
  const leafOf = (...file: Issued[]) => {
    const certificates = read(...file)
    return certificates.indexOf(findLeaf(findIssuers(certificates))!)
  }

  test('is the one that signed no other', () => {
    expect(leafOf(root, intermediate, leaf)).toBe(2)
  })
  test('is not an unrelated CA, even if that is first', () => {
    expect(leafOf(authority('Unrelated CA'), leaf, intermediate, root)).toBe(1)
  })
  test('is the first of several', () => {
    expect(leafOf(server(root), leaf, intermediate, root)).toBe(0)
  })
  test('may be a CA if there is no other', () => {
    expect(leafOf(root)).toBe(0)
  })
  test('is undefined for an empty file', () => {
    expect(findLeaf(new Map())).toBeUndefined()
  })
})

test('keeps each certificate once, in order', () => {
  const { unique, repeated } = dedupe(read(leaf, root, leaf, root, intermediate))
  expect(unique.map(({ subject }) => subject)).toEqual(['CN=master', 'CN=Test Root', 'CN=Test Intermediate'])
  expect(repeated.map(({ block }) => block)).toEqual([3, 4])
})
