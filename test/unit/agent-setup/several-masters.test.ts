// The name that agents verify where there are several masters.

import { describe, expect, test } from 'vitest'
import { planTrust, type TrustInput } from '../../../src/agent-setup/trust.ts'
import { parseTlsCredentials } from '../../../src/pki/credentials.ts'
import { joined } from '../../support/shapes/shape.ts'
import { type Issued, now } from '../../support/x509.ts'
import { dns, ip } from '../../support/x509-extensions.ts'
import { server } from '../../support/x509-profiles.ts'

function material(...file: Issued[]) {
  return parseTlsCredentials(joined(file), undefined, { now, file: 'chain.pem' }).material!
}

interface Ask extends Pick<Partial<TrustInput>, 'material' | 'certificateName'> {
  hosts: readonly string[]
  trust?: 'auto' | 'system'
  allowIpOnly?: boolean
}

function plan({ hosts, trust = 'auto', allowIpOnly = false, ...rest }: Ask) {
  const [address, ...others] = hosts.map((host) => ({ scheme: 'https', host, port: 8443 }) as const)
  const { plan: found, problems } = planTrust({
    address: address!,
    others,
    options: { trust, allow_ip_only: allowIpOnly },
    certificateName: '',
    now,
    roots: () => [],
    ...rest,
  })
  return { plan: found, problems }
}

describe('the certificate name of several masters', () => {
  const names = (...san: Buffer[]) => material(server(undefined, { names: san }))
  const [a, b] = ['a.example.com', 'b.example.com']
  const both = names(dns('one.example.com'), dns(a), dns(b))
  test.each<[string, Ask, string | undefined, string]>([
    ['one certificate of both: each host', { hosts: [a, b], material: both }, undefined, 'covers each'],
    [
      'a certificate of its own for each: each host',
      { hosts: [a, b], material: names(dns(b)) },
      undefined,
      'the certificate covers b.example.com, and each other master needs one for its own',
    ],
    [
      'the configured name for all',
      { hosts: [a, b], material: both, certificateName: 'one.example.com' },
      'one.example.com',
      'master_cert_name',
    ],
    [
      'hosts that the certificate does not have: its first name for all',
      { hosts: ['x.example.com', 'y.example.com'], material: both },
      'one.example.com',
      'first DNS name',
    ],
    [
      'addresses: its first name for all',
      { hosts: ['10.0.0.5', '10.0.0.6'], material: both },
      'one.example.com',
      'first',
    ],
    [
      'a name beside an address: the name for all',
      { hosts: ['10.0.0.5', b], material: both },
      b,
      'other addresses are IP addresses',
    ],
    [
      'addresses of a certificate without names: each address',
      { hosts: ['10.0.0.5', '10.0.0.6'], material: names(ip('10.0.0.6')), allowIpOnly: true },
      undefined,
      'covers 10.0.0.6, and each',
    ],
    [
      'names of unknown certificates: each host',
      { hosts: [a, b], trust: 'system' },
      undefined,
      'are unknown',
    ],
    [
      'addresses of unknown certificates, when allowed: each address',
      { hosts: ['10.0.0.5', 'fd00::6'], trust: 'system', allowIpOnly: true },
      undefined,
      'are unknown',
    ],
  ])('%s', (_, ask, name, reason) => {
    const { plan: found, problems } = plan(ask)
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
    expect(found!.certificateName).toBe(name)
    expect(found!.certificateNameReason).toContain(reason)
  })

  test.each<[string, Ask, string]>([
    ['an address of an unknown certificate', { hosts: [a, '10.0.0.6'], trust: 'system' }, 'TLS_NAME_NEEDED'],
    [
      'also where addresses are allowed: a name and an address have no setting together',
      { hosts: [a, '10.0.0.6'], trust: 'system', allowIpOnly: true },
      'TLS_NAME_NEEDED',
    ],
    [
      'a certificate of addresses only',
      { hosts: ['10.0.0.5', '10.0.0.6'], material: names(ip('10.0.0.6')) },
      'TLS_IP_ONLY',
    ],
    [
      'a configured name that the certificate does not have',
      { hosts: [a, b], material: both, certificateName: 'c.example.com' },
      'TLS_NAME_MISMATCH',
    ],
  ])('%s is refused', (_, ask, code) => {
    const { plan: found, problems } = plan(ask)
    expect(found).toBeUndefined()
    const errors = problems.filter(({ severity }) => severity === 'error')
    expect(errors.map((error) => error.code)).toEqual([code])
  })

  test('a certificate of an unknown issuer is judged by the host that it covers', () => {
    const { plan: found } = plan({ hosts: [a, b], trust: 'system', material: names(dns(b)) })
    expect(found).toMatchObject({ mode: 'system' })
    expect(found!.certificateName).toBeUndefined()
  })
})
