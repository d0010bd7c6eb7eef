import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { agentsUrl, parseJoin, shownText } from '../../../../src/standalone/protocol/dial.ts'

const join = { id: 'i-1', version: '0.38.1', resourcePool: 'gpu', reconnect: false, hostname: 'ip-10-0-0-1' }

describe('the URL that agents dial', () => {
  it('is wss for https and ws for http', () => {
    expect(agentsUrl({ scheme: 'https', host: 'master', port: 8443 }, join)).toBe(
      'wss://master:8443/agents?id=i-1&version=0.38.1&resource_pool=gpu&reconnect=false&hostname=ip-10-0-0-1',
    )
    expect(agentsUrl({ scheme: 'http', host: 'master', port: 8080 }, join)).toMatch(
      /^ws:\/\/master:8080\/agents\?/,
    )
  })

  it('keeps the brackets of an IPv6 master', () => {
    const url = agentsUrl({ scheme: 'https', host: '2001:db8::1', port: 8443 }, join)
    expect(url).toMatch(/^wss:\/\/\[2001:db8::1\]:8443\/agents/)
    expect(new URL(url).hostname).toBe('[2001:db8::1]')
  })

  it('preserves any pool, id and host name', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .filter((s) => !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(s))
    fc.assert(
      fc.property(name, name, name, fc.boolean(), (id, resourcePool, hostname, reconnect) => {
        const request = { ...join, id, resourcePool, hostname, reconnect }
        const url = new URL(agentsUrl({ scheme: 'https', host: 'm', port: 1 }, request))
        expect(parseJoin(url.pathname + url.search)).toEqual({ ok: true, join: request })
      }),
    )
  })
})

describe('the query', () => {
  it('uses the pool default for an empty pool', () => {
    expect(parseJoin('/agents?id=a&reconnect=false')).toMatchObject({ join: { resourcePool: 'default' } })
    expect(parseJoin('/agents?id=a&reconnect=0&resource_pool=')).toMatchObject({
      join: { resourcePool: 'default' },
    })
  })

  it.each(['1', 't', 'T', 'TRUE', 'true', 'True'])('reads reconnect=%s as true, as Go does', (value) => {
    expect(parseJoin(`/agents?id=a&reconnect=${value}`)).toMatchObject({
      ok: true,
      join: { reconnect: true },
    })
  })

  it.each([
    ['/agents', 'parsing reconnect query param'],
    ['/agents?id=a', 'parsing reconnect query param'],
    ['/agents?id=a&reconnect=yes', 'parsing reconnect query param'],
    ['/agents?reconnect=true', 'invalid agent id'],
    ['/agents?id=&reconnect=true', 'invalid agent id'],
    [`/agents?id=${'a'.repeat(257)}&reconnect=true`, 'id is longer than 256'],
    [`/agents?id=a&reconnect=true&resource_pool=${'p'.repeat(257)}`, 'resourcePool is longer than 256'],
    ['/agents?id=a%1b%5b2J&reconnect=true', 'control characters'],
    ['/agents?id=a%7f&reconnect=true', 'control characters'],
    ['/agents?id=a%c2%9b2J&reconnect=true', 'id contains control characters'],
    ['/agents?id=a%e2%80%aeb&reconnect=true', 'id contains control characters'],
    ['/agents?id=a%e2%80%a8b&reconnect=true', 'id contains control characters'],
    ['/agents?id=a&version=%c2%9b&reconnect=true', 'version contains control characters'],
    ['/agents?id=a&hostname=%c2%85&reconnect=true', 'hostname contains control characters'],
  ])('%s is rejected: %s', (target, message) => {
    expect(parseJoin(target)).toMatchObject({ ok: false, message: expect.stringContaining(message) })
  })
})

it('untrusted input is shown printable and short', () => {
  expect(shownText(null)).toBe('')
  expect(shownText('i-0123456789abcdef0')).toBe('i-0123456789abcdef0')
  expect(shownText('a\u009b2J\u202eb\n\u2028c\u001b')).toBe('a?2J?b??c?')
  expect(shownText('x'.repeat(300))).toBe(`${'x'.repeat(64)}…`)
})
