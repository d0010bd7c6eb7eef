// The names of the server certificate, and the name that agents verify.
import { commonName } from '../x509.ts'
import { dns, email, ip, otherName, uri } from '../x509-extensions.ts'
import { masterName } from '../x509-profiles.ts'
import { everyone, goSays, made, opensslSays, type Shape, threeOf } from './shape.ts'

function named(...names: Buffer[]) {
  return () => made(threeOf({ server: { names } }))
}

export const nameShapes: Shape[] = [
  {
    name: 'the host agents dial is one of the names',
    make: named(dns('other.example.com'), dns(masterName)),
    ask: { address: { host: 'Master.Example.com.' } },
    codes: [],
  },
  {
    name: 'the host agents dial is not a name of the certificate',
    make: named(dns(masterName)),
    ask: { address: { host: 'lb.internal' } },
    codes: [],
  },
  {
    name: 'the configured name is one of the names',
    make: named(dns(masterName), dns('second.example.com')),
    ask: { certificateName: 'second.example.com' },
    codes: [],
    plan: { certificateName: 'second.example.com' },
  },
  {
    name: 'the configured name is not one of the names',
    make: named(dns(masterName)),
    ask: { certificateName: 'second.example.com' },
    codes: ['TLS_NAME_MISMATCH'],
    dialName: 'second.example.com',
    clients: everyone('name'),
  },
  {
    name: 'the configured name has a trailing dot',
    make: named(dns(masterName)),
    ask: { certificateName: `${masterName}.` },
    codes: [],
  },
  { name: 'IP addresses only', make: named(ip('127.0.0.1')), codes: ['TLS_IP_ONLY'], dialName: '127.0.0.1' },
  {
    name: 'IP addresses only, verified by the common name',
    make: () => made(threeOf({ server: { names: [ip('127.0.0.1')], subject: masterName } })),
    codes: ['TLS_IP_ONLY'],
    clients: goSays('name'),
  },
  {
    name: 'IP addresses only, and allowed',
    make: named(ip('127.0.0.1')),
    ask: { address: { host: '127.0.0.1' }, options: { allow_ip_only: true } },
    codes: [],
    plan: { certificateName: null },
  },
  {
    name: 'IP addresses only, allowed, and agents dial another',
    make: named(ip('192.0.2.7')),
    ask: { options: { allow_ip_only: true } },
    codes: [],
    plan: { certificateName: '192.0.2.7' },
  },
  {
    name: 'IPv6 address only, and allowed',
    make: named(ip('2001:db8::7')),
    ask: { certificateName: '[2001:DB8::7]', options: { allow_ip_only: true } },
    codes: [],
    plan: { certificateName: '2001:db8::7' },
  },
  { name: 'IPv6 address and a name', make: named(ip('::1'), dns(masterName)), codes: [] },
  {
    name: 'wildcard only',
    make: named(dns('*.pool.example.com')),
    codes: [],
    plan: { certificateName: 'determined-master.pool.example.com' },
  },
  {
    name: 'wildcard, and a name two labels below it',
    make: named(dns('*.pool.example.com')),
    ask: { certificateName: 'b.a.pool.example.com' },
    codes: ['TLS_NAME_MISMATCH'],
    dialName: 'b.a.pool.example.com',
    clients: everyone('name'),
  },
  {
    name: 'wildcard, and the name above it',
    make: named(dns('*.pool.example.com')),
    ask: { certificateName: 'pool.example.com' },
    codes: ['TLS_NAME_MISMATCH'],
    dialName: 'pool.example.com',
    clients: everyone('name'),
  },
  {
    name: 'wildcard, and a name with an underscore under it',
    make: named(dns('*.pool.example.com')),
    ask: { certificateName: 'a_b.pool.example.com' },
    codes: ['TLS_NAME_MISMATCH'],
    dialName: 'a_b.pool.example.com',
    clients: { ...opensslSays('name'), node: 'ok' },
  },
  {
    name: 'wildcard of a single label',
    make: named(dns('*.local')),
    codes: ['TLS_NO_USABLE_NAME'],
    dialName: 'master.local',
    clients: opensslSays('name'),
  },
  {
    name: 'wildcard of a part of a label',
    make: named(dns('m*.example.com')),
    codes: ['TLS_NO_USABLE_NAME'],
    clients: { ...everyone('name'), node: 'ok', openssl: 'ok' },
  },
  {
    name: 'wildcard for all names',
    make: named(dns('*')),
    codes: ['TLS_NO_USABLE_NAME'],
    dialName: 'master',
    // Until 1.23 Go accepted it for every name.
    clients: { ...everyone('name'), ...goSays(['name', 'ok']) },
  },
  {
    name: 'common name only',
    make: () => made(threeOf({ server: { names: null, subject: masterName } })),
    codes: ['TLS_NO_SAN'],
    clients: goSays('name'),
  },
  {
    name: 'names of other kinds only',
    make: () => made(threeOf({ server: { names: [otherName(`host@${masterName}`)], subject: masterName } })),
    codes: ['TLS_NO_SAN'],
    clients: goSays('name'),
  },
  {
    name: 'international name',
    make: named(dns('master.xn--mnchen-3ya.example.com')),
    ask: { certificateName: 'master.münchen.example.com' },
    codes: [],
    plan: { certificateName: 'master.xn--mnchen-3ya.example.com' },
  },
  { name: 'name in upper case', make: named(dns('MASTER.Example.COM')), codes: [] },
  {
    name: 'name of a single label',
    make: named(dns('master')),
    codes: [],
    plan: { certificateName: 'master' },
  },
  {
    name: 'name with an underscore',
    make: named(dns('my_master.example.com')),
    codes: [],
    plan: { certificateName: 'my_master.example.com' },
  },
  {
    name: 'name with a trailing dot',
    make: named(dns(`${masterName}.`)),
    codes: ['TLS_NO_USABLE_NAME'],
    clients: { ...everyone('name'), node: 'ok' },
  },
  {
    name: 'IP address written as a DNS name',
    make: named(dns('10.0.0.5')),
    codes: ['TLS_NO_USABLE_NAME'],
    dialName: '10.0.0.5',
    clients: everyone('name'),
  },
  {
    name: 'name in bytes beyond ASCII',
    make: named(dns(masterName), dns('münchen.example.com')),
    codes: ['TLS_GO_REFUSES'],
    clients: goSays('unreadable'),
  },
  {
    name: 'URI with a blank in it',
    make: named(dns(masterName), uri('https://bad host/')),
    codes: ['TLS_GO_REFUSES'],
    clients: goSays('unreadable'),
  },
  {
    name: 'names of every kind',
    make: named(
      dns(masterName),
      ip('10.0.0.5'),
      email('ops@example.com'),
      uri('spiffe://example.com/master'),
      otherName('x'),
    ),
    codes: [],
  },
  {
    name: 'empty subject',
    make: () => made(threeOf({ server: { subject: Buffer.from([0x30, 0]) } })),
    codes: ['TLS_STRICT_RFC5280'],
    clients: { pythonStrict: 'strict', pythonFull: 'strict' },
  },
  {
    name: 'subject with characters that its string type does not allow',
    make: () => made(threeOf({ server: { subject: commonName('my_master@example', 'printable') } })),
    codes: ['TLS_GO_REFUSES'],
    clients: goSays('unreadable'),
  },
]
