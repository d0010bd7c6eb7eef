import { describe, expect, it } from 'vitest'
import { proxyFor } from '../../../../src/standalone/agent/network.ts'

const master = { scheme: 'https', host: 'master.example.com', port: 8443 } as const
const found = (env: Record<string, string>, change = {}) => proxyFor({ ...master, ...change }, env)
const proxied = (NO_PROXY: string, change = {}) =>
  found({ HTTPS_PROXY: 'http://proxy:3128', HTTP_PROXY: 'http://proxy:3128', NO_PROXY }, change) !== undefined

describe('the proxy to the master', () => {
  it('is the one for the scheme; upper case takes precedence', () => {
    const env = {
      HTTPS_PROXY: 'http://secure:1',
      https_proxy: 'http://lower:1',
      http_proxy: 'http://plain:2',
    }
    expect(found(env)).toEqual({ host: 'secure', port: 1 })
    expect(found(env, { scheme: 'http' })).toEqual({ host: 'plain', port: 2 })
    expect(found({})).toBeUndefined()
  })

  it('may be written without scheme or port, and with credentials', () => {
    expect(found({ HTTPS_PROXY: 'proxy:3128' })).toEqual({ host: 'proxy', port: 3128 })
    expect(found({ HTTPS_PROXY: 'http://u%40x:p%3A@[::1]' })).toEqual({
      host: '::1',
      port: 80,
      credentials: 'u@x:p:',
    })
  })

  it.each(['socks5://proxy:1080', 'https://proxy:1', 'http://'])(
    'is rejected, and not printed, if it cannot be used: %s',
    (value) => {
      expect(() => found({ HTTPS_PROXY: value.replace('//', '//user:hunter2@') })).toThrow(
        expect.objectContaining({
          code: 'AGENT_OPTION_INVALID',
          message: expect.not.stringContaining('hunter2'),
        }),
      )
    },
  )

  it.each(['localhost', '127.0.0.1', '127.3.2.1', '::1'])('is not used for this machine: %s', (host) => {
    expect(proxied('', { host })).toBe(false)
  })

  it.each([
    ['*', true],
    ['master.example.com', true],
    ['MASTER.example.com', true],
    ['example.com', true],
    ['.example.com', true],
    ['*.example.com', true],
    ['.master.example.com', false],
    ['ster.example.com', false],
    ['other, master.example.com:8443', true],
    ['master.example.com:443', false],
    ['', false],
  ])('is not used for names in NO_PROXY: %s', (exceptions, excepted) => {
    expect(proxied(exceptions)).toBe(!excepted)
  })

  it.each([
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.0.0/16', true],
    ['10.2.2.3', '10.1.0.0/16', false],
    ['10.1.2.3', '10.1.2.3:8443', true],
    ['10.1.2.3', '10.1.2.3:1', false],
    ['10.1.2.3', '2.3', false],
    ['fd00::5', 'fd00::/8', true],
    ['fd00::5', '[fd00::5]:8443', true],
    ['fd00::5', 'fd00::5', true],
    ['10.1.2.3', '10.1.0.0/99', false],
    ['10.1.2.3', 'fd00::/8', false],
  ])('is not used for addresses in NO_PROXY: %s, %s', (host, exceptions, excepted) => {
    expect(proxied(exceptions, { host })).toBe(!excepted)
  })
})
