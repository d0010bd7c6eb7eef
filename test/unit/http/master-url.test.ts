// Valid values of -m and DET_MASTER.
import { describe, expect, it } from 'vitest'
import { parseClientUrl } from '../../../src/http/target.ts'

describe('the address of a master', () => {
  it.each([
    ['https://master.example.com', 'https', 'master.example.com', 443, ''],
    ['https://master.example.com:8443/', 'https', 'master.example.com', 8443, ''],
    ['HTTPS://Master.Example.com:443', 'https', 'master.example.com', 443, ''],
    ['https://[2001:db8::1]:8443', 'https', '2001:db8::1', 8443, ''],
    ['https://proxy.example.com/det/', 'https', 'proxy.example.com', 443, '/det'],
    ['http://10.0.0.5', 'http', '10.0.0.5', 80, ''],
    [' master.example.com ', 'http', 'master.example.com', 8080, ''],
    ['localhost:80', 'http', 'localhost', 80, ''],
    ['[::1]', 'http', '::1', 8080, ''],
  ])('%s is read as Determined does', (text, scheme, host, port, prefix) => {
    expect(parseClientUrl(text)).toMatchObject({ scheme, host, port, prefix })
  })

  it('is plain on purpose only if http is written explicitly', () => {
    expect(parseClientUrl('http://master').plainOnPurpose).toBe(true)
    expect(parseClientUrl('master').plainOnPurpose).toBe(false)
    expect(parseClientUrl('https://master').plainOnPurpose).toBe(false)
  })

  it.each([
    ['', /not a valid master address/],
    ['ftp://master', /https or http, not ftp/],
    ['https://', /not a valid master address/],
    ['https://master:99999', /not a valid master address/],
    ['https://master?x=1', /\?x=1/],
    ['https://master/#top', /#top/],
  ])('%j is refused', (text, words) => {
    expect(() => parseClientUrl(text)).toThrow(expect.objectContaining({ code: 'CLIENT_MASTER_URL' }))
    expect(() => parseClientUrl(text)).toThrow(words)
  })

  it('is never quoted when it contains a password', () => {
    expect(() => parseClientUrl('https://me:secret@master')).toThrow(/user name or password/)
    expect(() => parseClientUrl('https://me:secret@master')).not.toThrow(/secret/)
  })
})
