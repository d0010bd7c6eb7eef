// The preflight with masters that present unusual certificates beside a valid chain, or more of them than clients read.
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { explainConnection } from '../../../src/http/untrusted-server.ts'
import { dialOptions } from '../../../src/pki/dial-options.ts'
import { type PreflightOrder, type PreflightResult, preflight } from '../../../src/pki/preflight.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { sequence, tlv } from '../../support/der-writer.ts'
import { embed, Masters, plan } from '../../support/masters.ts'
import { type Issued, issue } from '../../support/x509.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const masters = new Masters()
const name = 'master.example.com'
afterEach(() => masters.close())

const root = authority('Root')
const leaf = server(root)
const trust = embed(name, ['root', root.pem])
const utcTime = (text: string) => tlv(0x17, Buffer.from(text, 'latin1'))
const noDate = sequence(utcTime('250101000000Z'), utcTime('Bad time value'))
const unrelated = (more: object = {}) => issue({ subject: 'Unrelated', ...more })

function serving(...chain: Issued[]): Promise<number> {
  const [first] = chain
  return masters.secure({ cert: chain.map(({ pem }) => pem).join(''), key: first!.key.pem })
}

function dial(port: number, more: Partial<PreflightOrder> = {}): Promise<PreflightResult> {
  const address = { scheme: 'https', host: '127.0.0.1', port } as const
  return preflight({ address, plan: trust, timeoutMs: 60_000, clock: systemClock, ...more })
}

describe('an invalid date', () => {
  test.each<[string, () => Issued[]]>([
    ['of a certificate beside the chain', () => [leaf, root, unrelated({ validity: noDate })]],
    ['of the server certificate', () => [server(root, { validity: noDate }), root]],
    ['of the root', () => [leaf, authority('Root', { validity: noDate })]],
  ])('%s is wrong for Go, and no exception', async (_, chain) => {
    const port = await serving(...chain())
    const result = await dial(port)
    expect(result).toMatchObject({ verdict: 'wrong', problem: { code: 'PREFLIGHT_GO_REFUSES' } })
    expect(JSON.stringify(result.presented)).toContain('an unreadable date')
    expect(await dial(port, { plan: plan('skip_verify', name) })).toMatchObject({ verdict: 'wrong' })
  })

  test('is reported to a client, too', async () => {
    const port = await serving(server(authority('Elsewhere')), unrelated({ validity: noDate }))
    const target = {
      address: { scheme: 'https', host: '127.0.0.1', port } as const,
      prefix: '',
      trust: { name, options: dialOptions({ name }), anchors: 'a test' },
    }
    const refused = Object.assign(new Error('unable to verify'), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
    const { problem } = await explainConnection(refused, target as never, false)
    expect(problem.code).toBe('CLIENT_CERT_UNTRUSTED')
  })
})

test('every presented certificate is read, however many there are', async () => {
  const many = Array.from({ length: 30 }, (_, n) => authority(`Extra ${n}`))
  expect(await dial(await serving(leaf, root, ...many))).toMatchObject({ verdict: 'ok' })
  const odd = authority('Odd', { serial: Buffer.from([0x80, 1]) })
  const result = await dial(await serving(leaf, root, ...many, odd))
  expect(result).toMatchObject({ verdict: 'wrong', problem: { code: 'PREFLIGHT_GO_REFUSES' } })
  expect(result.problem!.message).toContain('CN=Odd has a negative serial number')
  expect(result.presented).toHaveLength(33)
})

test('what Go refuses is reported also without an HTTP response', async () => {
  const chain = [leaf, root, unrelated({ validity: noDate })]
  const port = await masters.secure(
    { cert: chain.map(({ pem }) => pem).join(''), key: leaf.key.pem },
    (socket) => socket.once('data', () => socket.destroy()),
  )
  expect(await dial(port)).toMatchObject({ verdict: 'wrong', problem: { code: 'PREFLIGHT_GO_REFUSES' } })
})

describe('a chain with a whole bundle behind it', () => {
  const bundle = (bytes: number) => {
    const one = authority('Bundled')
    return [leaf, root, ...Array.from({ length: Math.ceil(bytes / one.der.length) }, () => one)]
  }

  test('is more than Go 1.22 reads from 64 KiB on', async () => {
    expect(await dial(await serving(...bundle(60_000)))).toMatchObject({ verdict: 'ok' })
    const result = await dial(await serving(...bundle(70_000)))
    expect(result).toMatchObject({ verdict: 'wrong', problem: { code: 'PREFLIGHT_CHAIN_TOO_LARGE' } })
    expect(result.problem!.message).toMatch(
      /presents too many certificates: \d+ certificates make a TLS message of \d+ bytes; agents built with Go 1\.22 stop at 65536$/,
    )
  })

  test('is more than OpenSSL and Python read from 100 KiB on', async () => {
    const result = await dial(await serving(...bundle(110_000)))
    expect(result).toMatchObject({ verdict: 'wrong', problem: { code: 'PREFLIGHT_CHAIN_TOO_LARGE' } })
    expect(result.problem!.message).toContain(
      'over 100 KiB of certificates, more than OpenSSL and Python read',
    )
  })
})

test('bytes that are not a certificate', async () => {
  const port = await masters.secure({ cert: leaf.pem, key: leaf.key.pem, maxVersion: 'TLSv1.2' })
  // With TLS 1.2 the certificate is sent unencrypted, so one byte of it can be changed on the way.
  const spoiling = net.createServer((socket) => {
    const upstream = net.connect(port, '127.0.0.1')
    for (const end of [socket, upstream]) end.on('error', () => {})
    socket.pipe(upstream)
    upstream.on('data', (bytes) => {
      const at = bytes.indexOf(leaf.der.subarray(0, 40))
      if (at >= 0) bytes[at + 4] = 0x31
      socket.write(bytes)
    })
    upstream.on('close', () => socket.destroy())
    socket.on('close', () => upstream.destroy())
  })
  await once(spoiling.listen(0, '127.0.0.1'), 'listening')
  try {
    const result = await dial((spoiling.address() as AddressInfo).port)
    expect(result.problem).toMatchObject({ code: 'PREFLIGHT_BAD_CERTIFICATE' })
    expect(result.verdict).toBe('wrong')
    expect(result.problem!.message).toMatch(/^127\.0\.0\.1:\d+: the TLS library reports: wrong tag$/)
  } finally {
    spoiling.close()
  }
})
