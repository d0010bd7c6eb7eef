// Faults of the trust plan that need more than one sentence: what is wrong, and a remedy that helps.
import { describe, expect, test } from 'vitest'
import { planTrust } from '../../../src/agent-setup/trust.ts'
import { parseTlsCredentials, type TlsCredentials } from '../../../src/pki/credentials.ts'
import { parseTrustAnchors } from '../../../src/pki/trust-anchors.ts'
import { joined, threeOf } from '../../support/shapes/shape.ts'
import { type Issued, now } from '../../support/x509.ts'
import { fullAuthorityKeyId } from '../../support/x509-extensions.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

const where = { file: 'master.yaml', line: 12, column: 7 }
const material = (...file: Issued[]) =>
  parseTlsCredentials(joined(file), undefined, { now, file: 'chain.pem' }).material!
const whole = material(...threeOf())

function plan(known: TlsCredentials | undefined, certificateName = '', allowIpOnly = false) {
  return planTrust({
    address: { scheme: 'https', host: '10.0.0.5', port: 8443 },
    options: { trust: 'auto', allow_ip_only: allowIpOnly },
    certificateName,
    material: known,
    now,
    where,
    roots: () => [],
  })
}

describe('a configured name with more than the name', () => {
  test.each([
    [
      'https://master.example.com:8443/det',
      'the scheme https:// and the port 8443 and the path /det',
      masterName,
    ],
    ['master.example.com:8443', 'the port 8443', masterName],
    ['https://master.example.com', 'the scheme https://', masterName],
    ['[2001:db8::7]:8443', 'the port 8443', '2001:db8::7'],
  ])('%s', (certificateName, parts, name) => {
    for (const known of [whole, undefined])
      expect(plan(known, certificateName).problems).toEqual([
        expect.objectContaining({
          code: 'TLS_NAME_MISMATCH',
          message: `master_cert_name ${certificateName} has ${parts}; it is the name in the certificate alone`,
          remedy: `Set \`master_cert_name: ${name}\`.`,
          where,
        }),
      ])
  })

  test.each(['2001:db8::7', '[2001:db8::7]'])('an address %s has no port', (certificateName) => {
    const { problems } = plan(undefined, certificateName, true)
    expect(problems).toEqual([])
  })
})

describe('a CA renewed under the same key', () => {
  const old = authority('Easy CA', { serial: Buffer.from([1]) })
  const renewed = authority('Easy CA', { serial: Buffer.from([2]) })
  const extra = [fullAuthorityKeyId(old.key, old.subject, Buffer.from([1]))]
  const issued = server(old, { aki: false, extra })

  test('is told as what it is', () => {
    const { problems } = plan(material(issued, renewed))
    expect(problems).toEqual([
      expect.objectContaining({
        code: 'TLS_KEY_IDENTIFIER',
        message:
          'CN=master was signed with the key of CN=Easy CA, but its authority key identifier names the serial number 01 instead of 02, so that OpenSSL, Python and Node do not take that certificate for its issuer',
        remedy: expect.stringContaining('put the CA certificate that it names'),
      }),
    ])
  })

  test('the remedies help', () => {
    expect(plan(material(issued, renewed, old)).plan?.chain).toHaveLength(2)
    expect(plan(material(server(renewed), renewed)).plan?.chain).toHaveLength(2)
  })

  test('in tls.ca_file too', () => {
    const intermediateCa = authority('Below', { issuer: old, aki: false, extra })
    const { problems } = parseTrustAnchors(joined([intermediateCa, renewed]), { now })
    expect(problems).toEqual([
      expect.objectContaining({
        code: 'TLS_CA_LEFT_OUT',
        details: expect.objectContaining({ codes: ['TLS_KEY_IDENTIFIER'] }),
      }),
    ])
  })
})
