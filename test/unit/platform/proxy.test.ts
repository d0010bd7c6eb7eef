// The rule for proxies: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY.
import { describe, expect, it } from 'vitest'
import { destinationOf, proxyFor, shownProxy } from '../../../src/platform/proxy.ts'

const master = { scheme: 'https', host: 'master.example.com', port: 8443 } as const
const found = (env: Record<string, string>, change = {}) => proxyFor({ ...master, ...change }, env)
const proxied = (NO_PROXY: string, change = {}) =>
  found({ HTTPS_PROXY: 'http://proxy:3128', HTTP_PROXY: 'http://proxy:3128', NO_PROXY }, change) !== undefined

describe('the proxy of a connection', () => {
  it('is the one for the scheme; upper case takes precedence', () => {
    const env = {
      HTTPS_PROXY: 'http://secure:1',
      https_proxy: 'http://lower:1',
      http_proxy: 'http://plain:2',
    }
    expect(found(env)).toMatchObject({ host: 'secure', port: 1, variable: 'HTTPS_PROXY' })
    expect(found(env, { scheme: 'http' })).toMatchObject({ host: 'plain', port: 2, variable: 'http_proxy' })
    expect(found({})).toBeUndefined()
    expect(found({ HTTP_PROXY: 'http://plain:2' })).toBeUndefined()
  })

  it('is that of ALL_PROXY where the scheme has none; empty variables count as unset', () => {
    const env = { ALL_PROXY: 'http://all:1', HTTP_PROXY: 'http://plain:2', HTTPS_PROXY: '', https_proxy: '' }
    expect(found(env)).toMatchObject({ host: 'all', variable: 'ALL_PROXY' })
    expect(found(env, { scheme: 'http' })).toMatchObject({ host: 'plain' })
    expect(found({ all_proxy: 'http://all:1', no_proxy: 'example.com' })).toBeUndefined()
  })

  it('may be written without scheme or port, and with credentials', () => {
    expect(found({ HTTPS_PROXY: 'proxy:3128' })).toMatchObject({ scheme: 'http', host: 'proxy', port: 3128 })
    expect(found({ HTTPS_PROXY: 'https://proxy' })).toMatchObject({ scheme: 'https', port: 443 })
    const secret = found({ HTTPS_PROXY: 'http://u%40x:p%3A@[::1]' })!
    expect(secret).toMatchObject({ host: '::1', port: 80, credentials: 'u@x:p:' })
    expect(shownProxy(secret)).toBe('http://********@[::1]:80')
  })

  it.each(['socks5://proxy:1080', 'http://', 'http://%zz@proxy'])(
    'is rejected, and not printed, if it cannot be used: %s',
    (value) => {
      expect(() => found({ HTTPS_PROXY: value.replace('//', '//user:hunter2@') })).toThrow(
        expect.objectContaining({
          code: 'PROXY_INVALID',
          message: expect.not.stringContaining('hunter2'),
        }),
      )
    },
  )

  it.each([
    'http://user:12?hunter2@proxy:1',
    'http://user:12#hunter2@proxy',
    'user:1/hunter2@proxy',
    'http://proxy:0',
  ])('is rejected if a password is not encoded, or the port is none: %s', (value) => {
    expect(() => found({ HTTPS_PROXY: value })).toThrow(expect.objectContaining({ code: 'PROXY_INVALID' }))
  })

  it('is that of http_proxy alone in a CGI program, whose HTTP_PROXY is the Proxy header of the request', () => {
    const env = { HTTP_PROXY: 'http://attacker:1', REQUEST_METHOD: 'GET' }
    expect(found(env, { scheme: 'http' })).toBeUndefined()
    expect(found({ ...env, http_proxy: 'http://own:1' }, { scheme: 'http' })).toMatchObject({ host: 'own' })
    expect(found({ ...env, HTTPS_PROXY: 'http://own:1' })).toMatchObject({ host: 'own' })
  })

  it.each([
    'localhost',
    'LOCALHOST',
    '127.0.0.1',
    '127.3.2.1',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '0:0:0:0:0:FFFF:169.254.169.254',
    '169.254.169.254',
    '169.254.170.2',
    'fe80::1',
  ])('is not used for this machine and link-local addresses: %s', (host) => {
    expect(proxied('', { host })).toBe(false)
    expect(proxied('', { host, scheme: 'http' })).toBe(false)
  })

  it('is used for names that only look so', () => {
    for (const host of ['localhost.example.com', 'mylocalhost', '128.0.0.1', '169.253.1.1', 'fd00::1'])
      expect(proxied('', { host })).toBe(true)
  })

  it.each([
    ['*', true],
    ['master.example.com', true],
    ['MASTER.example.com', true],
    ['example.com', true],
    ['.example.com', true],
    ['example.com.', true],
    ['*.example.com', true],
    ['.master.example.com', false],
    ['ster.example.com', false],
    ['other, master.example.com:8443', true],
    ['other master.example.com', true],
    ['aster.example.com', false],
    ['master.example.com.evil.org', false],
    ['master.example.com:443', false],
    ['', false],
  ])('is not used for names in NO_PROXY: %s', (exceptions, excepted) => {
    expect(proxied(exceptions)).toBe(!excepted)
  })

  it.each([
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.0.0/16', true],
    ['10.2.2.3', '10.1.0.0/16', false],
    ['::ffff:10.1.2.3', '10.1.0.0/16', true],
    ['::ffff:a01:203', '10.1.0.0/16', true],
    ['10.1.2.3', '10.1.2.3:8443', true],
    ['10.1.2.3', '10.1.2.3:1', false],
    ['10.1.2.3', '2.3', false],
    ['fd00::5', 'fd00::/8', true],
    ['fd00::5', '[fd00::5]:8443', true],
    ['fd00::5', 'fd00::5', true],
    ['fd00::5', 'fd00:0:0::5', true],
    ['fd00::5', 'fd00::50', false],
    ['10.1.2.3', '10.1.0.0/99', false],
    ['10.1.2.3', 'fd00::/8', false],
  ])('is not used for addresses in NO_PROXY: %s, %s', (host, exceptions, excepted) => {
    expect(proxied(exceptions, { host })).toBe(!excepted)
  })
})

describe('the destination of a URL', () => {
  it.each([
    ['https://a.example', { scheme: 'https', host: 'a.example', port: 443 }],
    ['wss://[fd00::1]:8443/x', { scheme: 'https', host: 'fd00::1', port: 8443 }],
    ['http://a.example/', { scheme: 'http', host: 'a.example', port: 80 }],
    ['ws://a.example:81', { scheme: 'http', host: 'a.example', port: 81 }],
  ])('%s', (url, expected) => {
    expect(destinationOf(new URL(url))).toEqual(expected)
  })

  it('is unknown for other schemes', () => {
    expect(() => destinationOf(new URL('ftp://a'))).toThrow(TypeError)
  })
})
