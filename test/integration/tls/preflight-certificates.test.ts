// The preflight with masters whose certificates are right, wrong or renewed: the messages, and the result.
import type { TlsOptions } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { type PreflightOrder, type PreflightResult, preflight } from '../../../src/pki/preflight.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { embed, Masters, plan } from '../../support/masters.ts'
import { testKey } from '../../support/test-keys.ts'
import { day, type Issued, now } from '../../support/x509.ts'
import { basicConstraints, extension, purpose } from '../../support/x509-extensions.ts'
import { authority, type ServerSpec, server } from '../../support/x509-profiles.ts'

const masters = new Masters()
const name = 'master.example.com'
afterEach(() => masters.close())

const root = authority('Root')
const intermediate = authority('Intermediate', { issuer: root })
const leaf = server(intermediate)
const full = embed(name, ['leaf', leaf.pem], ['intermediate', intermediate.pem], ['root', root.pem])
const rootOnly = embed(name, ['root', root.pem])

/** A port that serves the first certificate with its key, and sends the others with it. */
function master(chain: Issued[], options: TlsOptions = {}): Promise<number> {
  const cert = chain.map(({ pem }) => pem).join('')
  return masters.secure({ cert, key: chain[0]!.key.pem, ...options })
}

function dial(port: number, trust = full, more: Partial<PreflightOrder> = {}): Promise<PreflightResult> {
  const address = { scheme: 'https', host: '127.0.0.1', port } as const
  return preflight({ address, plan: trust, timeoutMs: 60_000, clock: systemClock, ...more })
}

async function expectWrong(
  result: Promise<PreflightResult>,
  code: string,
  ...texts: string[]
): Promise<void> {
  const { verdict, problem } = await result
  expect(problem?.code, problem?.message).toBe(code)
  expect(verdict).toBe('wrong')
  for (const text of texts) expect(problem!.message).toContain(text)
}

describe('a master with a valid certificate', () => {
  test.each<[string, TlsOptions]>([
    ['TLSv1.3', { minVersion: 'TLSv1.3' }],
    ['TLSv1.2', { maxVersion: 'TLSv1.2' }],
  ])('over %s', async (protocol, options) => {
    const result = await dial(await master([leaf, intermediate, root], options))
    expect(result).toMatchObject({
      verdict: 'ok',
      warnings: [],
      protocol,
      name,
      phase: 'http',
      httpStatus: 200,
      master: { version: '0.38.1', clusterId: 'c-1' },
    })
    expect(result.problem).toBeUndefined()
    expect(result.presented.map(({ subject }) => subject)).toEqual([
      'CN=master',
      'CN=Intermediate',
      'CN=Root',
    ])
  })

  test.each(['ed25519', 'p384', 'p521', 'rsa2048'] as const)('with an %s key', async (kind) => {
    const other = server(root, { key: testKey(kind) })
    expect(await dial(await master([other, root]), rootOnly)).toMatchObject({ verdict: 'ok' })
  })

  test('that accepts a client certificate but does not require one', async () => {
    const port = await master([leaf, intermediate, root], { requestCert: true, rejectUnauthorized: false })
    expect(await dial(port)).toMatchObject({ verdict: 'ok' })
  })

  test('without verification any certificate is accepted, and no name is reported as verified', async () => {
    const untrusted = server(undefined, { names: null })
    const result = await dial(await master([untrusted]), plan('skip_verify', name))
    expect(result).toMatchObject({ verdict: 'ok', warnings: [], protocol: 'TLSv1.3' })
    expect(result.name).toBeUndefined()
  })

  test('with a certificate of a well-known CA, with trust: system', async () => {
    const port = await master([leaf, intermediate])
    expect(
      await dial(port, plan('system', name), { wellKnown: [root.pem], givesTasksItsChain: true }),
    ).toMatchObject({
      verdict: 'ok',
      warnings: [],
    })
  })
})

describe('a certificate of an untrusted CA', () => {
  const otherRoot = authority('Other root')
  const otherIntermediate = authority('Other intermediate', { issuer: otherRoot })
  const other = server(otherIntermediate, { subject: 'other' })

  test('the intermediate is sent', () =>
    expectWrong(
      master([other, otherIntermediate]).then((port) => dial(port)),
      'PREFLIGHT_UNKNOWN_CA',
      'presents CN=other (DNS:master.example.com; valid until ',
      'agents would not receive CN=Other root, which issued it',
    ))

  test('the root is sent too', () =>
    expectWrong(
      master([other, otherIntermediate, otherRoot]).then((port) => dial(port)),
      'PREFLIGHT_UNKNOWN_CA',
      'agents would not receive CN=Other root',
    ))

  test('only the certificate is sent', () =>
    expectWrong(
      master([other]).then((port) => dial(port)),
      'PREFLIGHT_MISSING_INTERMEDIATE',
      'the server does not send the certificate of its issuer CN=Other intermediate, and agents would not receive it either',
    ))

  test('it is sent with an unrelated certificate', () =>
    expectWrong(
      master([other, authority('Unrelated')]).then((port) => dial(port)),
      'PREFLIGHT_MISSING_INTERMEDIATE',
      'does not send the certificate of its issuer CN=Other intermediate',
    ))

  test('the same in front of its intermediate: the path from it counts', () =>
    expectWrong(
      master([other, otherIntermediate, authority('Unrelated')]).then((port) => dial(port)),
      'PREFLIGHT_UNKNOWN_CA',
      'agents would not receive CN=Other root, which issued it',
    ))

  test('its CA has the same name and another key', async () => {
    const rekeyed = authority('Intermediate', { issuer: root, key: testKey('p256', 'rekeyed') })
    const identified = await master([server(rekeyed)])
    await expectWrong(dial(identified), 'PREFLIGHT_UNKNOWN_CA', 'another CA of the same name CN=Intermediate')
    const anonymous = await master([server(rekeyed, { aki: false })])
    await expectWrong(
      dial(anonymous),
      'PREFLIGHT_BAD_SIGNATURE',
      'another CA of the same name CN=Intermediate',
    )
  })

  test('it is self-signed', () =>
    expectWrong(
      master([server()]).then((port) => dial(port)),
      'PREFLIGHT_OTHER_SELF_SIGNED',
      'it is self-signed and not the certificate agents would trust',
    ))

  test('it is self-signed and renewed, even with the same key', async () => {
    const renewed = server(undefined, { notBefore: now - day / 2 })
    const old = embed(name, ['root', server(undefined, { notBefore: now - 2 * day }).pem])
    const result = dial(await master([renewed]), old)
    await expectWrong(result, 'PREFLIGHT_OTHER_SELF_SIGNED', 'it was renewed on the master only')
    expect((await result).problem!.remedy).toContain('Copy')
  })

  test('the same with trust: system is no proof: agents may know that CA', async () => {
    for (const chain of [[other, otherIntermediate], [other], [server()]]) {
      const result = await dial(await master(chain), plan('system', name))
      expect(result).toMatchObject({ verdict: 'unverified' })
      expect(result.problem!.code).toMatch(/UNKNOWN_CA|MISSING_INTERMEDIATE|OTHER_SELF_SIGNED/)
    }
  })

  test('CAs of this machine besides the well-known ones do not count', async () => {
    const result = await dial(await master([leaf, intermediate]), plan('system', name))
    expect(result.problem).toMatchObject({
      code: 'PREFLIGHT_UNKNOWN_CA',
      message: expect.stringContaining('the well-known CAs do not include CN=Root'),
    })
  })
})

describe('a chain with a gap', () => {
  test('the master does not send its intermediate and agents have only the root', () =>
    expectWrong(
      master([leaf]).then((port) => dial(port, rootOnly)),
      'PREFLIGHT_MISSING_INTERMEDIATE',
      'does not send the certificate of its issuer CN=Intermediate',
    ))

  test('it does not send it, and agents have it', async () => {
    expect(await dial(await master([leaf]))).toMatchObject({ verdict: 'ok' })
  })

  test.each([
    ['leaf and intermediate', embed(name, ['leaf', leaf.pem], ['intermediate', intermediate.pem])],
    ['the leaf alone', embed(name, ['leaf', leaf.pem])],
  ])('agents have %s: they would join, their tasks would not', async (_, trust) => {
    const port = await master([leaf, intermediate])
    await expectWrong(
      dial(port, trust),
      'PREFLIGHT_ROOT_MISSING',
      'agents would join, tasks could not connect',
    )
  })

  test('agents would join, but the master has no root for tasks', async () => {
    const port = await master([leaf, intermediate])
    expect(await dial(port)).toMatchObject({ verdict: 'ok', warnings: [] })
    const result = await dial(port, full, { givesTasksItsChain: true })
    expect(result).toMatchObject({ verdict: 'ok', warnings: [{ code: 'PREFLIGHT_TASKS_LACK_ROOT' }] })
    const whole = await master([leaf, intermediate, root])
    expect(await dial(whole, full, { givesTasksItsChain: true })).toMatchObject({
      verdict: 'ok',
      warnings: [],
    })
    expect(result.warnings[0]!.message).toContain('presents 2 certificate(s)')
  })
})

describe('dates', () => {
  const expired = { notBefore: now - 3 * day, notAfter: now - 2 * day }
  const future = { notBefore: now + 2 * day, notAfter: now + 3 * day }

  test('the certificate has expired, and the file has a newer one: the master was not restarted', async () => {
    const result = dial(await master([server(intermediate, expired), intermediate, root]))
    await expectWrong(
      result,
      'PREFLIGHT_EXPIRED',
      'it expired on',
      'the master was not restarted after the renewal',
    )
    expect((await result).problem!.remedy).toContain('Restart the master')
  })

  test('the certificate is not valid yet', () =>
    expectWrong(
      master([server(intermediate, future), intermediate, root]).then((port) => dial(port)),
      'PREFLIGHT_NOT_YET_VALID',
      'it is not valid before',
    ))

  test('the intermediate has expired, which only the message can show', async () => {
    const old = authority('Intermediate', { issuer: root, ...expired, key: intermediate.key })
    const trust = embed(name, ['root', root.pem])
    await expectWrong(
      dial(await master([leaf, old]), trust),
      'PREFLIGHT_EXPIRED',
      'CN=Intermediate expired on',
    )
  })

  test('the root in the file has expired', async () => {
    const oldRoot = authority('Root', { ...expired, key: root.key })
    const trust = embed(name, ['intermediate', intermediate.pem], ['root', oldRoot.pem])
    const result = dial(await master([leaf, intermediate]), trust)
    await expectWrong(result, 'PREFLIGHT_EXPIRED', 'CN=Root, which agents would receive, expired on')
  })

  test('the master still presents the previous certificate, which is valid', async () => {
    const before = server(intermediate, { notBefore: now - 5 * day })
    const result = await dial(await master([before, intermediate, root]))
    expect(result).toMatchObject({ verdict: 'ok', warnings: [{ code: 'PREFLIGHT_MASTER_NOT_RESTARTED' }] })
  })
})

describe('usage of a certificate', () => {
  test('another name', () =>
    expectWrong(
      master([leaf, intermediate, root]).then((port) =>
        dial(port, { ...full, certificateName: 'other.example.com' }),
      ),
      'PREFLIGHT_WRONG_NAME',
      'not valid for other.example.com',
      'DNS:master.example.com',
    ))

  test('its name is only in the common name, which Go ignores', () =>
    expectWrong(
      master([server(root, { subject: name, names: null }), root]).then((port) => dial(port, rootOnly)),
      'PREFLIGHT_WRONG_NAME',
      `CN=${name} (no names;`,
    ))

  test('clients only', () =>
    expectWrong(
      master([server(root, { purposes: [purpose.client] })]).then((port) => dial(port, rootOnly)),
      'PREFLIGHT_BAD_PURPOSE',
    ))

  test('an intermediate that is not a CA', async () => {
    const notCa = authority('Not a CA', { issuer: root, basic: basicConstraints({ ca: false }), usage: null })
    const port = await master([server(notCa, { aki: false }), notCa])
    await expectWrong(dial(port, rootOnly), 'PREFLIGHT_BAD_PURPOSE')
  })

  test('one CA too many', async () => {
    const last = authority('Last', {
      issuer: root,
      basic: basicConstraints({ ca: true, pathLength: 0 }),
    })
    const tooMany = authority('Too many', { issuer: last })
    const port = await master([server(tooMany), tooMany, last])
    await expectWrong(dial(port, rootOnly), 'PREFLIGHT_BAD_CA')
  })

  test('an invalid signature', async () => {
    const forged = server({ ...intermediate, key: testKey('p256', 'forger') }, { aki: false })
    await expectWrong(dial(await master([forged, intermediate]), rootOnly), 'PREFLIGHT_BAD_SIGNATURE')
  })

  test.each<[string, ServerSpec]>([
    ['RSA with 1024 bits', { key: testKey('rsa1024') }],
    ['a SHA-1 signature', { digest: 'sha1' }],
  ])('%s', async (_, spec) => {
    const port = await master([server(root, spec)], { ciphers: 'DEFAULT@SECLEVEL=0' })
    await expectWrong(dial(port, rootOnly), 'PREFLIGHT_TOO_WEAK')
  })

  test('an unknown critical extension', async () => {
    const extra = [extension('1.2.3.4.5', Buffer.from([5, 0]), true)]
    const port = await master([server(root, { extra })])
    await expectWrong(dial(port, rootOnly), 'PREFLIGHT_BAD_CERTIFICATE', 'unhandled critical extension')
  })
})
