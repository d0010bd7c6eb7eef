// Which token is sent to which master.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Target, targetByConfig, targetByUrl } from '../../../src/http/target.ts'
import { parseConfig } from '../../support/config.ts'

let dir: string
let tokenFile: string
let env: Record<string, string>
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'target-'))
  tokenFile = join(dir, 'token')
  env = { DET_DEBUG_CONFIG_PATH: dir }
  writeFileSync(tokenFile, 'a-token-of-the-tests\n')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const config = () => {
  const text = `state_dir: ${dir}\nport: 9000\nresource_pools: [{pool_name: default, provider: {type: local}}]\n`
  return parseConfig(text, join(dir, 'master.yaml')).config!
}
const missing = ({ access }: Target) => ('missing' in access ? access.missing.code : undefined)

describe('the master of a configuration', () => {
  it('is dialled on this machine, with the token of its state folder', () => {
    expect(targetByConfig(config(), { now: 0 })).toEqual({
      address: { scheme: 'http', host: '127.0.0.1', port: 9000 },
      prefix: '',
      access: { token: 'a-token-of-the-tests' },
    })
  })

  it('gets another token when one is named', () => {
    const other = join(dir, 'other')
    writeFileSync(other, 'another')
    expect(targetByConfig(config(), { tokenFile: other, now: 0 }).access).toEqual({ token: 'another' })
  })

  it.each([
    ['is not there', () => rmSync(tokenFile), /token file not found: .*token/],
    ['is empty', () => writeFileSync(tokenFile, '\n'), /does not contain a token/],
    ['holds what no header may', () => writeFileSync(tokenFile, 'a\nb'), /does not contain a token/],
  ])('has no token where the file %s', (_, spoil, words) => {
    spoil()
    const { access } = targetByConfig(config(), { now: 0 })
    expect(access).toMatchObject({
      missing: { code: 'CLIENT_TOKEN_MISSING', message: expect.stringMatching(words) },
    })
  })
})

describe('a master elsewhere', () => {
  it('gets a token only when one is named', () => {
    expect(missing(targetByUrl('https://master.example.com', { env }))).toBe('CLIENT_TOKEN_MISSING')
    const { access } = targetByUrl('https://master.example.com', { tokenFile, env })
    expect(access).toEqual({ token: 'a-token-of-the-tests' })
  })

  it('gets none in plain text over a network, unless http:// is written explicitly', () => {
    const to = (url: string) => missing(targetByUrl(url, { tokenFile, env }))
    expect(to('master.example.com')).toBe('CLIENT_TOKEN_EXPOSED')
    expect([to('http://master.example.com'), to('localhost:8080'), to('127.0.0.1')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })
})
