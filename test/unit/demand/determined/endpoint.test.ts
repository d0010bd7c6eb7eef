// The address of a Determined master, and the trust for it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DemandConfig, TlsFiles } from '../../../../src/config/master-config.ts'
import { endpointOf } from '../../../../src/demand/determined/connections.ts'
import { createDevelopmentChain } from '../../../../src/pki/development-ca.ts'
import { ProvisionError } from '../../../../src/problems/index.ts'

let dir: string
let cert: string
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'endpoint-'))
  cert = join(dir, 'chain.crt')
  const { chain } = await createDevelopmentChain({
    names: ['master.test'],
    ips: [],
    days: 30,
    now: Date.now(),
  })
  writeFileSync(cert, chain)
})
afterAll(() => rmSync(dir, { recursive: true }))

function endpoint(demand: Partial<DemandConfig>, tls?: TlsFiles, port = 8443) {
  return endpointOf(
    {
      locate: (path) => ({ file: 'master.yaml', path }),
      port,
      security: tls ? { tls } : {},
      demand: { type: 'determined', placeholder_agent: false, ...demand },
    },
    Date.now(),
  )
}

function codeOf(read: () => unknown): string | undefined {
  try {
    read()
  } catch (error) {
    if (error instanceof ProvisionError) return error.code
    throw error
  }
  return undefined
}

describe('the address', () => {
  it('without a URL is that of the master in this file, on this machine', () => {
    expect(endpoint({}, { cert }).address).toEqual({ scheme: 'https', host: '127.0.0.1', port: 8443 })
    expect(endpoint({}, undefined, 8080).address).toEqual({ scheme: 'http', host: '127.0.0.1', port: 8080 })
  })

  it('is the URL, with the port of its scheme when it has none', () => {
    expect(endpoint({ url: 'https://m.test' }).address).toEqual({
      scheme: 'https',
      host: 'm.test',
      port: 443,
    })
    expect(endpoint({ url: 'http://m.test/' }).address.port).toBe(80)
    expect(endpoint({ url: 'https://[fd00::1]:8443' }).address).toMatchObject({ host: 'fd00::1', port: 8443 })
  })
})

describe('trust', () => {
  it('is the configured chain, with a name that it covers', () => {
    const { trust } = endpoint({ url: 'https://10.0.0.5:8443' }, { cert })
    expect(trust).toMatchObject({ name: 'master.test', anchors: cert, options: { rejectUnauthorized: true } })
    expect(String(trust!.options.ca)).toContain('BEGIN CERTIFICATE')
  })

  it('is the well-known CAs, with the host as the name, without a certificate', () => {
    const { trust } = endpoint({ url: 'https://m.example.com' })
    expect(trust).toMatchObject({ name: 'm.example.com', anchors: 'the well-known CAs' })
    expect(trust!.options.ca).toBeUndefined()
    expect(trust!.options.rejectUnauthorized).toBe(true)
  })

  it('is the CA file, if there is one', () => {
    const ca = endpoint({ url: 'https://m.test', ca_file: cert, master_cert_name: 'master.test' })
    expect(ca.trust).toMatchObject({ name: 'master.test', anchors: cert })
  })

  it('is none for plain http, with a warning for other machines', () => {
    const here = endpoint({ url: 'http://127.0.0.1:8080' })
    expect([here.trust, here.warnings]).toEqual([undefined, []])
    const [warning] = endpoint({ url: 'http://10.0.0.5:8080' }).warnings
    expect(warning).toMatchObject({ code: 'DETERMINED_PLAIN_HTTP', severity: 'warning' })
  })

  it('is rejected with the code of the problem of the files', () => {
    expect(codeOf(() => endpoint({}, { cert: join(dir, 'none') }))).toBe('TLS_FILE_MISSING')
    expect(codeOf(() => endpoint({ url: 'https://m.test', ca_file: join(dir, 'none') }))).toBe(
      'TLS_FILE_MISSING',
    )
    expect(codeOf(() => endpoint({ master_cert_name: 'other.test' }, { cert }))).toBe('TLS_NAME_MISMATCH')
  })
})
