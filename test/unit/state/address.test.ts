// The address of the database: what is read from where, what TLS means, and that a password is never shown.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PostgresConfig } from '../../../src/config/index.ts'
import { SecretText } from '../../../src/platform/secret-text.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'
import { addressOf, describeAddress } from '../../../src/state/postgres/address.ts'
import { parseConfig } from '../../support/config.ts'

const secret = 'hunter2'
const with_ = (more: Partial<PostgresConfig>): PostgresConfig => ({
  type: 'postgres',
  schema: 'provision',
  ...more,
})
const of = (url: string, env = {}, more: Partial<PostgresConfig> = {}) =>
  addressOf(with_({ url: new SecretText(url), ...more }), env)

function refusal(url: string): ProvisionError {
  try {
    of(url)
  } catch (error) {
    return error as ProvisionError
  }
  throw new Error('it was accepted')
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'address-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('an address', () => {
  it('is a URL with everything in it, percent-encoded', () => {
    expect(of('postgresql://us%40er:p%2F%40%23%25@db.example.com:6000/sta%20te')).toEqual({
      ...{ host: 'db.example.com', port: 6000, user: 'us@er', password: 'p/@#%', database: 'sta te' },
      ...{ tls: 'verified', isLocal: false },
    })
    expect(of('postgres://u@[::1]/d')).toMatchObject({ host: '::1', port: 5432, isLocal: true, tls: 'off' })
    expect(of('postgresql:///d?host=/run/postgresql&user=u')).toMatchObject({
      host: '/run/postgresql',
      database: 'd',
      tls: 'off',
    })
  })

  it('is read from its file each time', () => {
    const url_file = join(folder, 'url')
    writeFileSync(url_file, `postgresql://u:${secret}@db/d\n`)
    expect(addressOf(with_({ url_file }), {}).password).toBe(secret)
    writeFileSync(url_file, 'postgresql://u:rotated@db/d')
    expect(addressOf(with_({ url_file }), {}).password).toBe('rotated')
    rmSync(url_file)
    expect(() => addressOf(with_({ url_file }), {})).toThrow(`STATE_URL_INVALID`)
  })

  it('takes what it lacks from the variables of PostgreSQL', () => {
    const env = {
      ...{ PGHOST: 'db', PGPORT: '6000', PGUSER: 'u', PGPASSWORD: secret, PGDATABASE: 'd' },
      ...{ PGSSLMODE: 'no-verify', PGSSLROOTCERT: '/ca', PGSSLCERT: '/cert', PGSSLKEY: '/key' },
    }
    const whole = { host: 'db', port: 6000, user: 'u', password: secret, database: 'd', tls: 'unverified' }
    const files = { caFile: '/ca', certFile: '/cert', keyFile: '/key' }
    expect(addressOf(with_({}), env)).toEqual({ ...whole, ...files, isLocal: false })
    expect(of('postgresql://other/x', env)).toMatchObject({ ...whole, host: 'other', database: 'x' })
    const own = { ca_file: '/own-ca', client_cert: '/own-cert', client_key: '/own-key' }
    expect(of('postgresql://db/x', env, own)).toMatchObject({
      caFile: '/own-ca',
      certFile: '/own-cert',
      keyFile: '/own-key',
    })
  })
})

describe('TLS to the database', () => {
  it.each([
    ['postgresql://db/x', 'verified'],
    ['postgresql://db/x?sslmode=require', 'verified'],
    ['postgresql://db/x?sslmode=verify-ca', 'verified'],
    ['postgresql://db/x?sslmode=verify-full', 'verified'],
    ['postgresql://db/x?sslmode=no-verify', 'unverified'],
    ['postgresql://db/x?sslmode=disable', 'off'],
    ['postgresql://10.0.0.1/x', 'verified'],
    ['postgresql://localhost/x', 'off'],
    ['postgresql://127.0.0.2/x', 'off'],
    ['postgresql://127.0.0.1.example.com/x', 'verified'],
    ['postgresql://localhost/x?sslmode=verify-full', 'verified'],
    ['postgresql:///x?host=/run/pg', 'off'],
  ])('of %s is %s', (url, tls) => {
    expect(of(url).tls).toBe(tls)
  })

  it('is verified on loopback, too, when a CA is named', () => {
    expect(of('postgresql://localhost/x', {}, { ca_file: '/ca' }).tls).toBe('verified')
  })

  it.each(['prefer', 'allow', 'requiree'])('is not left to chance by sslmode=%s', (mode) => {
    expect(refusal(`postgresql://db/x?sslmode=${mode}`)).toMatchObject({ code: 'STATE_URL_INVALID' })
    expect(() => addressOf(with_({}), { PGHOST: 'db', PGSSLMODE: mode })).toThrow('STATE_URL_INVALID')
  })
})

const wrong = [
  `postgresql://u:${secret}#more@db/x`,
  `postgresql://u:${secret}@a,b/x`,
  `postgresql://u:${secret}@a:1,b:2/x`,
  `postgresql://u:${secret}%zz@db/x`,
  `postgresql://u:${secret}@db:99999/x`,
  `postgresql://u:${secret}@db/x?target_session_attrs=read-write`,
  `postgresql://u:${secret}@db:port/x`,
  `mysql://u:${secret}@db/x`,
  `u:${secret}@db`,
]

describe('the password', () => {
  it.each(wrong)('is in no message about %s', (url) => {
    const { code, problems } = refusal(url)
    expect(code).toBe('STATE_URL_INVALID')
    expect(inspect(problems, { depth: 9 })).not.toContain(secret)
  })

  it('is in no description', () => {
    expect(describeAddress(of(`postgresql://u:${secret}@db/x`))).toBe('PostgreSQL db:5432, database x')
  })

  it.each([
    ...wrong,
    `postgresql://u:${secret}@db/x`,
    `postgres://u:${secret}@at@db/x`,
    `postgres://u:/${secret}@db/x`,
    `postgres://db/x?password=${secret}`,
  ])('is in no dump of a configuration with %s, and in no problem of it', (url) => {
    const text = `state: {type: postgres, url: ${JSON.stringify(url)}}\nresource_pools:\n  - {pool_name: p}\n`
    for (const more of ['', 'wrong_key: 5\n', 'cluster_id: NOT OK\n']) {
      const loaded = parseConfig(more + text, join(folder, 'master.yaml'))
      const shown = [
        JSON.stringify(loaded.config),
        inspect(loaded, { depth: 20, showHidden: true }),
        String(loaded.config?.state),
      ]
      expect(shown.join('\n')).not.toContain(secret)
    }
    const near = parseConfig(
      `state:\n  typ: postgres\n  url: ${JSON.stringify(url)}\n  path: [a]\n`,
      'master.yaml',
    )
    expect(JSON.stringify(near.problems)).not.toContain(secret)
  })
})
