// The address that agents dial: the value of master_url, and the defaults for its missing parts.

import { describe, expect, it } from 'vitest'
import { masterAddressOf } from '../../../src/config/master-address.ts'
import { parseMasterUrl } from '../../../src/config/master-url.ts'
import { masterUrl } from '../../../src/pki/trust-plan.ts'
import { ProvisionError } from '../../../src/problems/index.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { parseConfig } from '../../support/config.ts'
import { aws, gcp, local } from './marked.ts'

const tls = 'security: {tls: {cert: c}}\n'

function addressOf(text: string, masterHost?: string) {
  const { config, problems } = parseConfig(text, 'master.yaml')
  expect(problems).toEqual([])
  const { address, problems: warnings } = masterAddressOf(config!, config!.resource_pools[0]!, {
    masterHost,
    providers: builtInProviders,
  })
  return `${masterUrl(address)} ${warnings.map(({ code }) => code).join(' ')}`.trim()
}

describe('the address agents dial', () => {
  it.each([
    ['http, as given', '', 'http://test.master', 'http://test.master:8080'],
    ["http with the master's own port", 'port: 9000\n', 'http://m', 'http://m:9000'],
    ['everything given', '', 'https://m.example.com:1234', 'https://m.example.com:1234'],
    ['https where the master has a certificate', tls, 'https://m', 'https://m:8443'],
    ['https where something in front of it has', '', 'https://m', 'https://m:443 MASTER_PORT_ASSUMED'],
    ['nothing, with a certificate', tls, '', 'https://127.0.0.1:8443'],
    ['nothing, without', '', '', 'http://127.0.0.1:8080'],
    ['only a scheme and a port', tls, 'https://:9443', 'https://127.0.0.1:9443'],
    ['IPv6 with its brackets', tls, 'https://[FD00::5]', 'https://[fd00::5]:8443'],
    [
      'a name in capitals with a final dot',
      tls,
      'https://Master.Example.COM.',
      'https://master.example.com:8443',
    ],
    ['a name with an umlaut', tls, 'https://münchen.example', 'https://xn--mnchen-3ya.example:8443'],
    ['an empty port', tls, 'https://m:', 'https://m:8443'],
  ])('%s', (_name, top, url, expected) => {
    expect(addressOf(top + local(`master_url: "${url}"`))).toBe(expected)
  })

  it('is the first alias of the cloud when no host is given', () => {
    expect(addressOf(tls + aws(''))).toBe('https://local-ipv4:8443 MASTER_HOST_ALIAS')
    expect(addressOf(gcp(''))).toBe('http://internal-ip:8080 MASTER_HOST_ALIAS')
  })

  it('keeps an alias of any cloud, with a warning', () => {
    expect(addressOf(aws('master_url: http://public-hostname'))).toBe(
      'http://public-hostname:8080 MASTER_HOST_ALIAS',
    )
    expect(addressOf(local('master_url: http://external-ip:1'))).toBe(
      'http://external-ip:1 MASTER_HOST_ALIAS',
    )
  })

  it('replaces an alias or a missing host with a given host, but never a real one', () => {
    expect(addressOf(aws(''), '10.0.0.5')).toBe('http://10.0.0.5:8080')
    expect(addressOf(aws('master_url: http://local-ipv4:99'), '[fd00::1]')).toBe('http://[fd00::1]:99')
    expect(addressOf(aws('master_url: http://m'), '10.0.0.5')).toBe('http://m:8080')
  })

  it('rejects a configuration that was never checked', () => {
    const { config } = parseConfig(local(''), 'master.yaml')
    const pool = config!.resource_pools[0]!
    pool.provider!.master_url = 'https://a@b'
    expect(() => masterAddressOf(config!, pool, { providers: builtInProviders })).toThrow(ProvisionError)
  })
})

describe('several addresses', () => {
  function several(text: string, masterHost?: string) {
    const { config, problems } = parseConfig(text, 'master.yaml')
    expect(problems).toEqual([])
    const [pool] = config!.resource_pools
    const found = masterAddressOf(config!, pool!, { masterHost, providers: builtInProviders })
    return { ...found, urls: [found.address, ...found.others].map(masterUrl) }
  }

  it('keep their order, each with the defaults of one', () => {
    const list = 'master_url: ["https://A.example.com.", "https://[FD00::5]:9443", "https://10.0.0.7"]'
    const { urls, problems } = several(tls + local(list))
    expect(urls).toEqual(['https://a.example.com:8443', 'https://[fd00::5]:9443', 'https://10.0.0.7:8443'])
    expect(problems).toEqual([])
  })

  it('are one in a list of one, which may be an alias', () => {
    const list = 'master_url: ["https://local-ipv4:1"]'
    expect(several(aws(list), '10.0.0.5').urls).toEqual(['https://10.0.0.5:1'])
    expect(several(aws(list)).problems.map(({ code }) => code)).toEqual(['MASTER_HOST_ALIAS'])
  })

  it.each([undefined, '10.0.0.5'])('are no aliases, also with the host %s for one', (host) => {
    const { problems } = several(aws('master_url: ["https://m:1", "https://local-ipv4:1"]'), host)
    expect(problems).toMatchObject([
      {
        code: 'MASTER_URL_INVALID',
        severity: 'error',
        where: { path: expect.stringMatching(/master_url\.1$/), line: expect.any(Number) },
        remedy: 'Write the host name or the IP address of each master.',
      },
    ])
  })

  it.each([
    ['as text', tls, '"https://a:1", "https://b:1", "https://a:1"', 2, 'https://a:1'],
    [
      'in capitals and with a final dot',
      tls,
      '"https://a.test:1", "https://A.Test.:1"',
      1,
      'https://a.test:1',
    ],
    [
      'with the port of the master',
      `port: 9443\n${tls}`,
      '"https://a:9443", "https://a"',
      1,
      'https://a:9443',
    ],
    [
      'with the port of the master, left out at the first',
      tls,
      '"https://a", "https://a:8443"',
      1,
      'https://a:8443',
    ],
    ['with the port of http', '', '"http://a", "http://a:8080"', 1, 'http://a:8080'],
    ['with the port of a proxy', '', '"https://a:443", "https://a"', 1, 'https://a:443'],
    [
      'as IPv6 in two forms',
      tls,
      '"https://[fd00::5]:1", "https://[fd00:0:0::0005]:1"',
      1,
      'https://[fd00::5]:1',
    ],
    [
      'as IPv6 in capitals',
      tls,
      '"https://[FD00::A]", "https://b", "https://[fd00:0::a]"',
      2,
      'https://[fd00::a]:8443',
    ],
    [
      'as IPv6 with IPv4 in it',
      tls,
      '"https://[::ffff:10.0.0.5]", "https://[::ffff:a00:5]"',
      1,
      'https://[::ffff:a00:5]:8443',
    ],
  ])('are not the same %s', (_, top, list, second, dialled) => {
    const { problems } = several(`${top}${local(`master_url: [${list}]`)}`)
    expect(problems.filter(({ severity }) => severity === 'error')).toMatchObject([
      {
        code: 'MASTER_URL_INVALID',
        message: expect.stringContaining(`has ${dialled} twice`),
        where: {
          path: expect.stringMatching(new RegExp(`master_url\\.${second}$`)),
          line: expect.any(Number),
        },
        remedy: 'Write each address once.',
      },
    ])
  })

  it.each([
    ['of two ports', '"https://a:1", "https://a:2"'],
    ['of two ports, one the default', '"https://a", "https://a:2"'],
    ['of two hosts', '"https://[fd00::5]", "https://[fd00::6]"'],
  ])('may be %s', (_, list) => {
    expect(several(tls + local(`master_url: [${list}]`)).problems).toEqual([])
  })

  it('report only the wrong ones, not their number', () => {
    const problems = (lines: string) =>
      parseConfig(local(lines), 'f').problems.map(({ where }) => where?.path)
    const at = (key: string) => expect.stringMatching(new RegExp(`provider\\.${key}$`))
    const two = 'master_url: ["https://a:1", "https://b:1"]'
    for (const wrong of ['7', 'h', '{a: 1}', '[x]', 'null'])
      for (const index of [0, 1]) {
        const list = index === 0 ? `[${wrong}, "h:1"]` : `["h:1", ${wrong}]`
        expect(problems(`${two}\npreflight_address: ${list}`)).toEqual([at(`preflight_address\\.${index}`)])
      }
    expect(problems('master_url: ["https://a:1", {a: 1}]\npreflight_address: ["h:1", "h:2"]')).toEqual([
      at('master_url\\.1'),
    ])
    expect(problems(`master_url: {a: 1}\npreflight_address: ["h:1", "h:2"]`)).toEqual([at('master_url')])
    expect(problems(`${two}\npreflight_address: ["h:1", 7, "h:2"]`)).toEqual([at('preflight_address\\.1')])
  })

  it('are at least one in a list', () => {
    const messages = (lines: string) => parseConfig(local(lines), 'f').problems.map(({ message }) => message)
    expect(messages('master_url: []')).toEqual([
      'master_url must be a URL or a list of URLs, but is an empty list',
    ])
    expect(messages('preflight_address: []')).toEqual([
      'preflight_address must be "host:port", or a list of them, but is an empty list',
    ])
  })

  it('need as many addresses of the preflight', () => {
    const wrong = (preflight: string) =>
      parseConfig(
        local(`master_url: ["https://a:1", "https://b:1"]\npreflight_address: ${preflight}`),
        'f',
      ).problems.map(({ code }) => code)
    expect(wrong('h:1')).toEqual(['CONFIG_CONFLICT'])
    expect(wrong('["h:1"]')).toEqual(['CONFIG_CONFLICT'])
    expect(wrong('["h:1", "h:2"]')).toEqual([])
    expect(wrong('["h:1", "h:70000"]')).toEqual(['CONFIG_OUT_OF_RANGE'])
    expect(wrong('["h:1", "h"]')).toEqual(['CONFIG_BAD_VALUE'])
  })
})

describe('master_url', () => {
  it.each([
    'master:8443',
    'ftp://m',
    'https://m/',
    'https://m?x',
    'https://m#x',
    'https://m:0',
    'https://m:65536',
    'https://m:80a',
    'https://fd00::1',
    'https://[fd00::1%25eth0]',
    'https://[::1',
    'https://1.2.3',
    'https://1.2.3.256',
    'https://010.0.0.5',
    'https://-a.b',
    'https://a..b',
    'https://a b',
    'https://a%20b',
    'https://a\n',
    `https://${'a'.repeat(64)}`,
    `https://${'a.'.repeat(130)}b`,
  ])('%j is refused', (url) => {
    expect(parseMasterUrl(url)).toMatchObject({ code: 'MASTER_URL_INVALID' })
  })

  it('never contains a password', () => {
    for (const url of ['https://bob:hunter2@m:1', 'bob:hunter2@m', 'https://bob:hunter2@m/x?hunter2'])
      expect(JSON.stringify(parseMasterUrl(url))).not.toContain('hunter2')
  })

  it.each([
    ['http://10.0.0.5', { scheme: 'http', host: '10.0.0.5' }],
    ['HTTPS://my_master:1', { scheme: 'https', host: 'my_master', port: 1 }],
    ['https://[::ffff:10.0.0.5]:443', { scheme: 'https', host: '::ffff:10.0.0.5', port: 443 }],
    ['', { host: '' }],
  ])('%j has these parts', (url, parts) => {
    expect(parseMasterUrl(url)).toEqual(parts)
  })
})
