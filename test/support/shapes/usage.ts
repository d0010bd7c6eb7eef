// Usages of the certificates, and related rules of RFC 5280.
import { integer, oid, sequence, set, text, tlv } from '../der-writer.ts'
import { testKey } from '../test-keys.ts'
import { commonName } from '../x509.ts'
import {
  authorityKeyId,
  basicConstraints,
  dns,
  email,
  extension,
  ip,
  ipRange,
  keyUsage,
  nameConstraints,
  otherName,
  purpose,
} from '../x509-extensions.ts'
import { masterName, server } from '../x509-profiles.ts'
import { everyone, goSays, made, opensslSays, rootSays, type Shape, threeOf } from './shape.ts'

/** Node reports a CA without rights as a wrong purpose. */
const badCa = { ...opensslSays('ca'), node: 'purpose' } as const
const onlyStrict = { pythonStrict: 'strict', pythonFull: 'strict' } as const
const strictAtRoot = { pythonFull: 'strict' } as const

export const usageShapes: Shape[] = [
  {
    name: 'for TLS clients only',
    make: () => made(threeOf({ server: { purposes: [purpose.client] } })),
    codes: ['TLS_NOT_FOR_SERVERS'],
    clients: everyone('purpose'),
  },
  {
    name: 'single self-signed certificate for TLS clients only',
    make: () => made([server(undefined, { purposes: [purpose.client] })]),
    codes: ['TLS_NOT_FOR_SERVERS'],
    clients: everyone('purpose'),
  },
  {
    name: 'for any purpose',
    make: () => made(threeOf({ server: { purposes: [purpose.any] } })),
    codes: ['TLS_NOT_FOR_SERVERS'],
    clients: opensslSays('purpose'),
  },
  {
    name: 'without a purpose',
    make: () => made(threeOf({ server: { purposes: null } })),
    codes: [],
  },
  {
    name: 'leaf without keyUsage and basicConstraints',
    make: () => made(threeOf({ server: { usage: null, basic: null } })),
    codes: [],
  },
  {
    name: 'leaf that is a CA',
    make: () => made(threeOf({ server: { basic: basicConstraints({ ca: true }) } })),
    codes: [],
  },
  {
    name: 'leaf whose keyUsage is keyCertSign only',
    make: () => made(threeOf({ server: { usage: keyUsage('keyCertSign') } })),
    codes: ['TLS_NOT_FOR_SERVERS'],
    clients: { ...opensslSays('purpose'), ...onlyStrict },
  },
  {
    name: 'leaf with an unknown critical extension',
    make: () => made(threeOf({ server: { extra: [extension('1.2.3.4.5', integer(1), true)] } })),
    codes: ['TLS_CRITICAL_EXTENSION'],
    clients: everyone('critical'),
  },
  {
    name: 'leaf with OCSP must-staple',
    make: () => made(threeOf({ server: { extra: [extension('1.3.6.1.5.5.7.1.24', sequence(integer(5)))] } })),
    codes: [],
  },
  {
    name: 'leaf without authority key identifier',
    make: () => made(threeOf({ server: { aki: false } })),
    codes: ['TLS_STRICT_RFC5280'],
    clients: onlyStrict,
  },
  {
    name: 'leaf with a critical authority key identifier',
    make: () =>
      made(
        threeOf({
          server: { aki: false, extra: [authorityKeyId(testKey('p256', 'Test Intermediate'), true)] },
        }),
      ),
    codes: ['TLS_GO_REFUSES'],
    clients: { ...opensslSays('critical'), ...goSays('unreadable') },
  },
  {
    name: 'leaf without subject key identifier',
    make: () => made(threeOf({ server: { ski: false } })),
    codes: [],
  },
  {
    name: 'CA without subject key identifier',
    make: () => made(threeOf({ intermediate: { ski: false } })),
    codes: ['TLS_STRICT_RFC5280'],
    clients: onlyStrict,
  },
  {
    name: 'root without keyUsage, as `openssl req -x509` creates it',
    make: () => made(threeOf({ root: { usage: null } })),
    codes: ['TLS_STRICT_RFC5280'],
    clients: strictAtRoot,
  },
  {
    name: 'CA whose basicConstraints are not critical',
    make: () => made(threeOf({ intermediate: { basic: basicConstraints({ ca: true, critical: false }) } })),
    codes: ['TLS_STRICT_RFC5280'],
    clients: onlyStrict,
  },
  {
    name: 'root of version 1',
    make: () => made(threeOf({ root: { version: 1, basic: null, usage: null, ski: false, aki: false } })),
    codes: ['TLS_STRICT_RFC5280'],
    clients: { pythonFull: 'ca' },
  },
  {
    name: 'single self-signed certificate of version 1',
    make: () =>
      made([
        server(undefined, {
          version: 1,
          subject: masterName,
          names: null,
          basic: null,
          usage: null,
          purposes: null,
          ski: false,
        }),
      ]),
    codes: ['TLS_NO_SAN'],
    clients: { ...goSays('name'), pythonStrict: 'ca', pythonFull: 'ca' },
  },
  {
    name: 'CA without keyCertSign',
    make: () => made(threeOf({ intermediate: { usage: keyUsage('digitalSignature', 'cRLSign') } })),
    codes: ['TLS_NOT_A_CA'],
    clients: opensslSays('ca'),
  },
  {
    name: 'intermediate with CA:FALSE',
    make: () => made(threeOf({ intermediate: { basic: basicConstraints({ ca: false }), usage: null } })),
    codes: ['TLS_NOT_A_CA'],
    clients: badCa,
  },
  {
    name: 'intermediate without basicConstraints',
    make: () => made(threeOf({ intermediate: { basic: null } })),
    codes: ['TLS_NOT_A_CA'],
    clients: opensslSays('ca'),
  },
  {
    name: 'root without basicConstraints',
    make: () => made(threeOf({ root: { basic: null, usage: null } })),
    codes: ['TLS_NOT_A_CA'],
    clients: { ...badCa, pythonStrict: 'ok' },
  },
  {
    name: 'path length exceeded',
    make: () => made(threeOf({ root: { basic: basicConstraints({ ca: true, pathLength: 0 }) } })),
    codes: ['TLS_CA_PATH_LENGTH'],
    clients: rootSays('ca'),
  },
  {
    name: 'path length just sufficient',
    make: () =>
      made(
        threeOf({
          root: { basic: basicConstraints({ ca: true, pathLength: 1 }) },
          intermediate: { basic: basicConstraints({ ca: true, pathLength: 0 }) },
        }),
      ),
    codes: [],
  },
  {
    name: 'intermediate for TLS clients only',
    make: () => made(threeOf({ intermediate: { purposes: [purpose.client] } })),
    codes: ['TLS_CA_NOT_FOR_SERVERS'],
    clients: opensslSays('purpose'),
  },
  {
    name: 'intermediate for TLS servers',
    make: () => made(threeOf({ intermediate: { purposes: [purpose.server, purpose.client] } })),
    codes: [],
  },
  {
    name: 'names within the constraints of the CA',
    make: () =>
      made(
        threeOf({
          server: { names: [dns(masterName), ip('10.0.0.5')] },
          intermediate: {
            extra: [
              nameConstraints({
                permitted: [dns('example.com'), ipRange('10.0.0.0', '255.0.0.0')],
                excluded: [dns('other.example.com')],
              }),
            ],
          },
        }),
      ),
    codes: [],
  },
  {
    name: 'a name outside the constraints of the CA',
    make: () =>
      made(threeOf({ intermediate: { extra: [nameConstraints({ permitted: [dns('example.org')] })] } })),
    codes: ['TLS_NAME_CONSTRAINTS'],
    clients: opensslSays('constraint'),
  },
  {
    name: 'an address the CA excludes',
    make: () =>
      made(
        threeOf({
          server: { names: [dns(masterName), ip('10.0.0.5')] },
          root: { extra: [nameConstraints({ excluded: [ipRange('10.0.0.0', '255.0.0.0')] })] },
        }),
      ),
    codes: ['TLS_NAME_CONSTRAINTS'],
    clients: rootSays('constraint'),
  },
  {
    name: 'CA name in another string type',
    make: () => made(threeOf({ intermediate: { issuerName: commonName('Test Root', 'printable') } })),
    codes: ['TLS_RENEWAL_REFUSED'],
  },
  {
    name: 'CA name in another case',
    make: () => made(threeOf({ intermediate: { issuerName: commonName('TEST  root') } })),
    codes: ['TLS_RENEWAL_REFUSED'],
  },
  {
    name: 'negative serial number',
    make: () => made(threeOf({ server: { serial: Buffer.from([0xff, 1]) } })),
    codes: ['TLS_GO_REFUSES'],
    clients: { goNew: 'unreadable' },
  },
  {
    name: 'the same extension twice',
    make: () =>
      made(
        threeOf({
          server: { extra: [extension('1.2.3.4.5', integer(1)), extension('1.2.3.4.5', integer(1))] },
        }),
      ),
    codes: ['TLS_GO_REFUSES'],
    clients: goSays('unreadable'),
  },
  {
    name: 'dates with fractions of a second',
    make: () => {
      const at = (text: string) => tlv(0x18, Buffer.from(text))
      return made(threeOf({ server: { validity: sequence(at('20200101000000.5Z'), at('20490101000000Z')) } }))
    },
    codes: ['TLS_GO_REFUSES'],
    clients: everyone('unreadable'),
  },
  {
    name: 'leaf of version 1 with extensions',
    make: () => made(threeOf({ server: { version: 1 } })),
    codes: ['TLS_NO_SAN'],
    clients: { ...goSays('name'), ...onlyStrict },
  },
  {
    name: 'CRL distribution point relative to its issuer',
    make: () => {
      const relative = tlv(0xa1, sequence(oid('2.5.4.3'), text('CRL')))
      return made(
        threeOf({ server: { extra: [extension('2.5.29.31', sequence(sequence(tlv(0xa0, relative))))] } }),
      )
    },
    codes: ['TLS_GO_REFUSES'],
    clients: goSays('unreadable'),
  },
  {
    name: 'CRL distribution point of only reasons',
    make: () => {
      const point = sequence(tlv(0x81, Buffer.from([1, 6])))
      return made(threeOf({ intermediate: { extra: [extension('2.5.29.31', sequence(point))] } }))
    },
    codes: ['TLS_OPENSSL_REFUSES'],
    clients: rootSays('untrusted'),
  },
  {
    name: 'the same certificate policy twice',
    make: () => {
      const policy = sequence(oid('1.2.3.4'))
      return made(threeOf({ intermediate: { extra: [extension('2.5.29.32', sequence(policy, policy))] } }))
    },
    codes: ['TLS_GO_REFUSES'],
    // Go 1.22 does not look at it.
    clients: goSays('unreadable'),
  },
  {
    name: 'constraints on directory names that are not critical',
    make: () => {
      const excluded = [tlv(0xa4, commonName('x')), otherName('x')]
      const extra = [nameConstraints({ permitted: [dns('example.com')], excluded, critical: false })]
      return made(threeOf({ intermediate: { extra } }))
    },
    codes: [],
  },
  {
    name: 'an e-mail address in the subject outside the constraints of the CA',
    make: () => {
      const address = set(sequence(oid('1.2.840.113549.1.9.1'), text('ops@example.org', 'ia5')))
      const subject = sequence(set(sequence(oid('2.5.4.3'), text('master'))), address)
      return made(
        threeOf({
          server: { subject },
          intermediate: { extra: [nameConstraints({ permitted: [email('example.com')] })] },
        }),
      )
    },
    codes: ['TLS_NAME_CONSTRAINTS'],
    clients: opensslSays('constraint'),
  },
  {
    name: 'critical policy constraints of the CA',
    make: () => {
      const required = extension('2.5.29.36', sequence(tlv(0x80, Buffer.from([3]))), true)
      return made(threeOf({ intermediate: { extra: [required] } }))
    },
    codes: ['TLS_RENEWAL_REFUSED'],
  },
  {
    name: 'wildcard over an excluded name',
    make: () =>
      made(
        threeOf({
          server: { names: [dns('*.example.com'), dns(masterName)] },
          root: { extra: [nameConstraints({ excluded: [dns('secret.example.com')] })] },
        }),
      ),
    codes: ['TLS_RENEWAL_REFUSED'],
  },
  {
    name: 'root without basicConstraints, with keyUsage',
    make: () => made(threeOf({ root: { basic: null } })),
    codes: ['TLS_STRICT_RFC5280', 'TLS_RENEWAL_REFUSED'],
    clients: { pythonFull: 'ca' },
  },
]
