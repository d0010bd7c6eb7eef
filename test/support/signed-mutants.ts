// Chains in which the structure of one certificate was changed and the certificate was then signed again with the right key.
import { sign } from 'node:crypto'
import { mutate, type Numbers, numbers, parseNode, writeNode } from './der-mutants.ts'
import { bitString, integer, octets, oid, sequence, set, text, tlv } from './der-writer.ts'
import { testKey } from './test-keys.ts'
import { commonName, type Issued } from './x509.ts'
import {
  addressBlocks,
  asNumbers,
  authorityKeyId,
  basicConstraints,
  dns,
  email,
  extension,
  fullAuthorityKeyId,
  ip,
  ipRange,
  nameConstraints,
  otherName,
  uri,
} from './x509-extensions.ts'
import { authority, masterName, server } from './x509-profiles.ts'

/** Keys of the server certificates. */
export const mutantKeys = (['p256', 'rsa2048', 'ed25519'] as const).map((kind) => testKey(kind, 'mutant'))

const policy = oid('1.3.6.1.4.1.99999.1')
const otherPolicy = oid('1.3.6.1.4.1.99999.2')
const directory = tlv(0xa4, commonName('Directory'))
const link = uri('http://crl.example.com/a.crl')

/** Extensions that Go or OpenSSL parses, in forms that both accept. */
const common: Buffer[] = [
  extension('2.5.29.31', sequence(sequence(tlv(0xa0, tlv(0xa0, link))))),
  extension(
    '2.5.29.31',
    sequence(
      sequence(tlv(0xa0, tlv(0xa0, directory, link)), tlv(0x81, Buffer.from([1, 6])), tlv(0xa2, directory)),
    ),
  ),
  extension(
    '1.3.6.1.5.5.7.1.1',
    sequence(
      sequence(oid('1.3.6.1.5.5.7.48.1'), uri('http://ocsp.example.com')),
      sequence(oid('1.3.6.1.5.5.7.48.2'), directory),
    ),
  ),
  extension(
    '2.5.29.32',
    sequence(
      sequence(policy, sequence(sequence(oid('1.3.6.1.5.5.7.2.1'), text('http://a.example/cps', 'ia5')))),
      sequence(otherPolicy),
    ),
  ),
  extension('2.5.29.18', sequence(dns('issuer.example.com'), directory)),
  extension('1.2.3.4.5', sequence(integer(1), octets(Buffer.from('x')))),
  extension('2.16.840.1.113730.1.1', bitString(Buffer.from([0x46]), 1)),
]
const forCas: Buffer[] = [
  nameConstraints({
    permitted: [dns('example.com'), ipRange('10.0.0.0', '255.0.0.0'), email('example.com')],
    excluded: [dns('other.example.com'), uri('.example.org')],
  }),
  extension(
    '2.5.29.30',
    sequence(tlv(0xa1, sequence(directory), sequence(otherName('x')), sequence(dns('x.y')))),
  ),
  extension('2.5.29.33', sequence(sequence(policy, otherPolicy))),
  extension('2.5.29.36', sequence(tlv(0x80, Buffer.from([3])), tlv(0x81, Buffer.from([1])))),
  extension('2.5.29.54', integer(4)),
]

function some(list: Buffer[], next: Numbers): Buffer[] {
  const seen = new Set<string>()
  return list.filter((item) => {
    const [id] = parseNode(item).children!
    const kind = id!.content.toString('hex')
    // Two of the same kind would be a fault already.
    if (next(2) || seen.has(kind)) return false
    seen.add(kind)
    return true
  })
}

function base(next: Numbers): [leaf: Issued, intermediate: Issued, root: Issued] {
  const serial = Buffer.from([1, 2, 3, 4])
  // All CAs have them, or the server certificate must not.
  const resources = next(4) === 0
  const given = (prefixes: number[][], numbers: [number, number][]) =>
    resources ? [addressBlocks(prefixes), asNumbers(numbers)] : []
  const root = authority('Root', {
    serial,
    extra: [...given([[10], [192, 168]], [[1, 900]]), ...some([...common, ...forCas], next)],
  })
  const intermediate = authority('Intermediate', {
    issuer: root,
    serial,
    aki: false,
    basic: basicConstraints({ ca: true, ...(next(2) && { pathLength: 0 }) }),
    extra: [
      next(2) ? authorityKeyId(root.key) : fullAuthorityKeyId(root.key, root.subject, serial),
      ...given(
        [[10]],
        [
          [1, 100],
          [200, 300],
        ],
      ),
      ...some([...common, ...forCas], next),
    ],
  })
  const names = [dns(masterName), ip('10.0.0.5'), email('ops@example.com'), uri('https://a.example.com/x')]
  const subject = sequence(
    set(sequence(oid('2.5.4.10'), text('Example', 'printable'))),
    set(sequence(oid('2.5.4.3'), text(next(2) ? masterName : 'Master'))),
    ...(next(3) ? [] : [set(sequence(oid('1.2.840.113549.1.9.1'), text('ops@example.com', 'ia5')))]),
  )
  const leaf = server(intermediate, {
    serial,
    key: mutantKeys[next(3)]!,
    names: names.filter((_, index) => index === 0 || next(2)),
    subject,
    aki: false,
    extra: [
      next(2) ? authorityKeyId(intermediate.key) : fullAuthorityKeyId(intermediate.key, root.subject, serial),
      ...(next(2)
        ? given(
            [
              [10, 1],
              [10, 3],
            ],
            [[5, 6]],
          )
        : []),
      ...some(common, next),
    ],
  })
  return [leaf, intermediate, root]
}

function resigned({ der }: Issued, signer: Issued, donor: Issued, next: Numbers): Buffer {
  const whole = parseNode(der)
  const [signed, algorithm] = whole.children!
  const inner = () => signed!.children?.[2] && writeNode(signed!.children[2])
  const before = inner()
  for (let edits = next(3) ? 1 : 2; edits > 0 && signed!.children?.length; edits--)
    mutate(signed!, parseNode(donor.der).children![0]!, next)
  const bytes = writeNode(signed!)
  const after = inner()
  // Both algorithms have to be the same: otherwise no reader looks further.
  const changed = after && before && !after.equals(before) && next(2) ? after : writeNode(algorithm!)
  return sequence(bytes, changed, bitString(sign('sha256', bytes, signer.key.privateKey)))
}

/** The chains of a seed, each with the server certificate first. */
export function signedMutants(seed: number, count: number): Buffer[][] {
  const next = numbers(seed)
  return Array.from({ length: count }, () => {
    const chain = base(next)
    // More changes in the server certificate: it has more that verifiers look at.
    const place = [0, 0, 1, 1, 2][next(5)]!
    const mutant = resigned(chain[place]!, chain[Math.min(place + 1, 2)]!, chain[next(3)]!, next)
    return chain.map(({ der }, index) => (index === place ? mutant : der))
  })
}

export const unchanged = (seed: number): Buffer[] => base(numbers(seed)).map(({ der }) => der)
