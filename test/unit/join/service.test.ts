// The join endpoint over TLS: who gets a certificate, who does not, and that a refusal tells nothing.
import { X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeNonce } from '../../../src/join/challenge.ts'
import { allowReissue } from '../../../src/join/rotation.ts'
import { challengeFor, csrOf, keyHash } from '../../support/csr.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import {
  type Answer,
  aliveId,
  day,
  type JoinEndpoint,
  joinEndpoint,
  launched,
} from '../../support/join-service.ts'
import { testKey } from '../../support/test-keys.ts'
import { issue } from '../../support/x509.ts'

const [own, other] = [testKey('p256', 'csr'), testKey('p256', 'csr other')]
let end: JoinEndpoint
beforeEach(async () => {
  end = await joinEndpoint()
})
afterEach(() => end.close())

const certificateOf = (answer: Answer) => new X509Certificate(answer.value.certificate)
/** The code in the log, which the sender does not get. */
const codes = () => end.outcomes.flatMap(({ code }) => code ?? [])

function expectRefused(answer: Answer, code: string): void {
  expect([answer.status, answer.text]).toEqual([403, '{"code":"JOIN_REFUSED","message":"refused"}'])
  expect(codes().at(-1)).toBe(code)
}

describe('an instance with a proof', () => {
  it('gets a certificate of its id and key, for seven days, and the CA', async () => {
    const answer = await end.join()
    expect(answer.status).toBe(200)
    const certificate = certificateOf(answer)
    const ca = new X509Certificate(answer.value.ca)
    expect(certificate.checkIssued(ca) && certificate.verify(ca.publicKey)).toBe(true)
    expect(certificate.publicKey.export({ type: 'spki', format: 'der' })).toEqual(own.spki)
    expect(certificate.subject).toBe(`CN=${aliveId}`)
    expect(certificate.subjectAltName).toBe(`URI:provision:instance:${aliveId}`)
    expect([certificate.keyUsage, certificate.ca]).toEqual([['1.3.6.1.5.5.7.3.2'], false])
    const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()]
    expect(Math.abs(from - (Date.now() - 3_600_000))).toBeLessThan(60_000)
    expect(Math.abs(to - (Date.now() + 7 * day))).toBeLessThan(60_000)
    expect(answer.value.expiresAt).toBe(new Date(to).toISOString())
    expect(end.outcomes).toMatchObject([{ outcome: 'issued', id: aliveId, pool: 'gpu' }])
  })

  it.each([
    [undefined, 'https://provision.test:8444'],
    ['https://other.test:8444', 'https://other.test:8444'],
    ['https://stranger.test:8444', 'https://provision.test:8444'],
  ])('that was made for %s is judged as one for %s: only for an address of its own', async (url, judged) => {
    expect((await end.join({ ...(url !== undefined && { url }) })).status).toBe(200)
    expect(end.asked.map((asked) => asked.url)).toEqual([judged])
  })

  it('gets the PEM of the certificate alone if it asks for that', async () => {
    const answer = await end.join({ headers: { Accept: 'application/x-pem-file' } })
    expect(answer.headers['content-type']).toBe('application/x-pem-file')
    expect(answer.text).toMatch(/^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n$/)
    expect(new X509Certificate(answer.text).subject).toBe(`CN=${aliveId}`)
  })

  it('is shown to the verifier as the journal and the listing have it', async () => {
    await end.join()
    // Its first answer may have been lost.
    await end.join()
    await end.join({ key: testKey('p256', 'another') })
    const { id, pool, zone, addresses, launchedAt } = launched(aliveId)
    expect(end.asked.map(({ instance, url }) => ({ ...instance, url }))).toEqual(
      [true, true, false].map((isFirstIssue) => ({
        ...{ id, pool, zone, addresses, launchedAt, isFirstIssue },
        url: 'https://provision.test:8444',
      })),
    )
  })

  it('can ask again with the same key, and both certificates are good', async () => {
    const [first, second] = [await end.join(), await end.join()]
    expect([first.status, second.status]).toEqual([200, 200])
    expect(first.value.certificate).not.toBe(second.value.certificate)
  })
})

describe('a challenge', () => {
  it('is one line with a nonce and when it expires', async () => {
    const answer = await end.get(challengeFor(own))
    expect(answer.text).toMatch(/^\{"nonce":"[A-Za-z0-9_-]{72}","expiresAt":"[0-9T:.-]+Z"\}$/)
    expect(Date.parse(answer.value.expiresAt) - Date.now()).toBeLessThanOrEqual(60_000)
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  it('is for one key: without a right digest of it there is none, and the answer says how to ask', async () => {
    const digest = keyHash(own)
    const queries = [
      ...['', '?', '?key', '?key=', `?KEY=${digest}`, `?key=${digest}&key=${digest}`, `?key[]=${digest}`],
      ...[
        digest.toUpperCase(),
        digest.slice(1),
        `${digest}0`,
        `${digest}%0a`,
        `%20${digest}`,
        'g'.repeat(64),
      ].map((text) => `?key=${text}`),
    ]
    for (const query of queries) {
      const { status, value } = await end.get(`/v1/join/challenge${query}`)
      expect([query, status, value]).toEqual([
        query,
        400,
        { code: 'JOIN_MALFORMED', message: expect.stringContaining('SHA-256 of the SubjectPublicKeyInfo') },
      ])
    }
    expect(codes()).toEqual(queries.map(() => 'JOIN_MALFORMED'))
    expect((await end.get(`/v1/join/challenge?more=1&key=${digest}`)).status).toBe(200)
  })

  it('is answered to GET only, and a join to POST only; other paths are left alone', async () => {
    expect((await end.post('/v1/join/challenge', {})).status).toBe(405)
    expect((await end.get('/v1/join')).status).toBe(405)
    expect((await end.get('/v1/join/renew')).status).toBe(405)
    for (const path of ['/v1/join/', '/v1/join/other', '/v1/joins', '/agents'])
      expect((await end.get(path)).status).toBe(404)
  })
})

describe('refused, with one answer for all reasons:', () => {
  const stale = async () =>
    makeNonce((await end.options.ca.current()).nonceKey, keyHash(own), Date.now() - 60_500).nonce
  it.each([
    ['an unknown instance', 'JOIN_INSTANCE_UNKNOWN', () => end.join({ id: 'i-0000000000000000f' })],
    [
      'an instance of a pool without join',
      'JOIN_INSTANCE_UNKNOWN',
      () => {
        end.instances.set('i-2', launched('i-2', { pool: 'cpu' }))
        return end.join({ id: 'i-2' })
      },
    ],
    [
      'an instance that is gone',
      'JOIN_INSTANCE_GONE',
      () => {
        end.instances.set(aliveId, launched(aliveId, { isAlive: false }))
        return end.join()
      },
    ],
    ['a forged nonce', 'JOIN_NONCE_INVALID', () => end.join({ nonce: 'A'.repeat(72) })],
    ['a nonce that is too old', 'JOIN_NONCE_INVALID', async () => end.join({ nonce: await stale() })],
    ['another kind of proof', 'JOIN_PROOF_KIND', () => end.join({ proof: { kind: 'aws-sts' } })],
    [
      'a proof with another nonce',
      'JOIN_PROOF_INVALID',
      () => end.join({ proof: { kind: 'word', of: aliveId } }),
    ],
    [
      'a proof of another instance',
      'JOIN_PROOF_OTHER',
      async () => {
        const nonce = await end.nonce()
        return end.join({ nonce, proof: { kind: 'word', of: 'i-2', nonce } })
      },
    ],
    [
      'a certificate request of another name',
      'JOIN_CSR_INVALID',
      () => end.join({ csr: csrOf({ subject: 'i-2' }).toString('base64') }),
    ],
    ['a body that is no JSON', 'JOIN_MALFORMED', () => end.post('/v1/join', '{"id":')],
    ['an empty body', 'JOIN_MALFORMED', () => end.post('/v1/join', undefined)],
    ['a body that is a list', 'JOIN_MALFORMED', () => end.post('/v1/join', [])],
    ['a body that is too large', 'JOIN_MALFORMED', () => end.post('/v1/join', { id: 'x'.repeat(40_000) })],
    ['an id that is a path', 'JOIN_MALFORMED', () => end.join({ id: '../../etc/passwd' })],
    ['an id of two lines', 'JOIN_MALFORMED', () => end.join({ id: `${aliveId}\n` })],
    ['no proof', 'JOIN_MALFORMED', () => end.join({ proof: 'word' })],
    [
      'a renewal without a certificate',
      'JOIN_CERTIFICATE_INVALID',
      () => end.post('/v1/join/renew', { csr: 'MAAA' }),
    ],
  ] as const)('%s', async (_, code, ask) => {
    expectRefused(await ask(), code)
    expect(await end.options.store.bindings()).toEqual([])
  })

  it('a request that is sent again', async () => {
    const nonce = await end.nonce()
    expect((await end.join({ nonce })).status).toBe(200)
    expectRefused(await end.join({ nonce }), 'JOIN_NONCE_USED')
    // Also after a refusal: nobody tries proofs until one fits.
    const second = await end.nonce()
    expectRefused(await end.join({ nonce: second, proof: { kind: 'word' } }), 'JOIN_PROOF_INVALID')
    expectRefused(await end.join({ nonce: second }), 'JOIN_NONCE_USED')
  })

  it('a proof that somebody copied, with his own key; the instance can still use it', async () => {
    const nonce = await end.nonce(own)
    expectRefused(await end.join({ nonce, key: other }), 'JOIN_NONCE_INVALID')
    expect(end.asked).toEqual([])
    expect(await end.options.store.bindings()).toEqual([])
    expect((await end.join({ nonce, key: own })).status).toBe(200)
  })

  it('strangers reach neither the cloud nor the store', async () => {
    await end.join({ nonce: 'A'.repeat(72) })
    await end.join({ id: 'i-00000000' })
    await end.join({ csr: 'AAAA' })
    expect(end.asked).toEqual([])
    const nonce = await end.nonce()
    await end.join({ id: 'i-00000000', nonce })
    expect(await end.options.store.takeNonce(nonce)).toBe(true)
  })
})

describe('the time that a refusal takes', () => {
  it('is the same however far the request came', async () => {
    const clock = new FakeClock(Date.now())
    const timed = await joinEndpoint({ clock, limits: { refusalAfter: 500 } })
    timed.instances.set('i-gone', launched('i-gone', { isAlive: false }))
    const asks = [
      () => timed.post('/v1/join', {}),
      () => timed.join({ nonce: 'A'.repeat(72) }),
      () => timed.join({ id: 'i-none' }),
      () => timed.join({ id: 'i-gone' }),
      () => timed.join({ proof: { kind: 'none' } }),
      () => timed.join({ proof: { kind: 'word' } }),
      () => timed.post('/v1/join/renew', { csr: 'MAAA' }),
    ]
    for (const ask of asks) {
      const before = timed.outcomes.length
      let answer: Answer | undefined
      void ask().then((given) => (answer = given))
      await expect.poll(() => timed.outcomes.length).toBe(before + 1)
      await clock.advance(499)
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(answer).toBeUndefined()
      await clock.advance(1)
      await expect.poll(() => answer?.status).toBe(403)
    }
    expect((await timed.join()).status).toBe(200)
    await timed.close()
  })
})

describe('the key of an instance', () => {
  it('is the one of the first of fifty that come at once', async () => {
    const keys = Array.from({ length: 50 }, (_, n) => testKey('p256', `race ${n}`))
    const answers = await Promise.all(keys.map((key) => end.join({ key })))
    const winners = answers.filter(({ status }) => status === 200)
    expect(winners).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(49)
    expect(codes()).toEqual(Array(49).fill('JOIN_KEY_CHANGED'))
    const [binding, ...more] = await end.options.store.bindings()
    expect(more).toEqual([])
    expect(binding).toMatchObject({ instance: aliveId, otherKeyAt: expect.any(Number) })
  })

  it('stays, is reported, and the first certificate is renewed', async () => {
    const first = await end.join()
    expectRefused(await end.join({ key: other }), 'JOIN_KEY_CHANGED')
    expect(end.logger.lines.filter((line) => line.startsWith('error'))).toHaveLength(1)
    expect(end.logger.lines.join()).toMatch(/error a join was refused .*JOIN_KEY_CHANGED.*127\.0\.0\.1/)
    expect((await end.renew(first.value.certificate)).status).toBe(200)
    expect((await end.join()).status).toBe(200)
  })

  it('is replaced once a person allows it: the old certificate is over then', async () => {
    const first = await end.join()
    await allowReissue(end.options.store, aliveId, Date.now())
    const second = await end.join({ key: other })
    expect(second.status).toBe(200)
    expectRefused(await end.renew(first.value.certificate), 'JOIN_CERTIFICATE_INVALID')
    expectRefused(await end.join(), 'JOIN_KEY_CHANGED')
  })
})

describe('a renewal', () => {
  it('needs the certificate and the same key, and gives seven more days', async () => {
    const first = await end.join()
    const renewed = await end.renew(first.value.certificate)
    expect(renewed.status).toBe(200)
    expect(certificateOf(renewed).subject).toBe(`CN=${aliveId}`)
    expect(end.outcomes.at(-1)).toMatchObject({ outcome: 'renewed', id: aliveId, pool: 'gpu' })
    const csr = csrOf({ key: other }).toString('base64')
    expectRefused(await end.renew(first.value.certificate, { csr }), 'JOIN_CERTIFICATE_INVALID')
    const foreign = csrOf({ subject: 'i-2' }).toString('base64')
    expectRefused(await end.renew(first.value.certificate, { csr: foreign }), 'JOIN_CSR_INVALID')
  })

  it('is refused to a certificate of another CA with the same names', async () => {
    await end.join()
    const forged = issue({ key: own, subject: aliveId })
    expectRefused(await end.renew(forged.pem), 'JOIN_CERTIFICATE_INVALID')
  })

  it('is refused once the instance is gone, or in another pool', async () => {
    const first = await end.join()
    end.instances.set(aliveId, launched(aliveId, { isAlive: false }))
    expectRefused(await end.renew(first.value.certificate), 'JOIN_INSTANCE_GONE')
    end.instances.delete(aliveId)
    expectRefused(await end.renew(first.value.certificate), 'JOIN_INSTANCE_UNKNOWN')
    end.instances.set(aliveId, launched(aliveId))
  })

  it('works when the database has lost the binding', async () => {
    const first = await end.join()
    await end.options.store.removeBindings([aliveId])
    expect((await end.renew(first.value.certificate)).status).toBe(200)
    expectRefused(await end.join({ key: other }), 'JOIN_KEY_CHANGED')
  })
})

describe('what cannot be decided', () => {
  const unavailable = '{"code":"JOIN_UNAVAILABLE","message":"try again later"}'

  it('because the cloud does not answer is tried again, and nothing is bound', async () => {
    const answer = await end.join({ proof: { kind: 'word', down: true } })
    expect([answer.status, answer.text, answer.headers['retry-after']]).toEqual([503, unavailable, '5'])
    expect(codes()).toEqual(['JOIN_PROOF_UNCHECKED'])
    expect(await end.options.store.bindings()).toEqual([])
    expect((await end.join()).status).toBe(200)
  })

  it.each(['readCa', 'takeNonce', 'binding', 'bind'] as const)(
    'because the store fails in %s',
    async (call) => {
      const nonce = await end.nonce()
      const { store } = end.options
      const { [call]: works } = store
      Object.assign(store, { [call]: () => Promise.reject(new Error('the disk is gone')) })
      const answer = await end.join({ nonce })
      Object.assign(store, { [call]: works })
      expect([answer.status, answer.text]).toEqual([503, unavailable])
      expect(end.logger.lines.join()).toContain('the disk is gone')
      expect((await end.join()).status).toBe(200)
    },
  )

  it('because the listing is not known', async () => {
    const failing = await joinEndpoint({ lookup: () => Promise.reject(new Error('no listing yet')) })
    expect((await failing.join()).status).toBe(503)
    await failing.close()
  })

  it('because a verifier does not answer is tried again', async () => {
    const clock = new FakeClock(Date.now())
    const asked = Promise.withResolvers<void>()
    const silent = {
      kind: 'word',
      verify() {
        asked.resolve()
        return new Promise<never>(() => {})
      },
    }
    const waiting = await joinEndpoint({ clock, poolOf: () => ({ url: 'https://x', verifiers: [silent] }) })
    const answer = waiting.join()
    let status: number | undefined
    void answer.then((given) => (status = given.status))
    await asked.promise
    while (status === undefined) await clock.advance(1_000)
    expect([status, waiting.outcomes.map(({ code }) => code)]).toEqual([503, ['JOIN_PROOF_UNCHECKED']])
    await waiting.close()
  })

  it('because too many come at once is said by 429, with the time to wait', async () => {
    const small = await joinEndpoint({ limits: { perAddress: { burst: 3, perSecond: 0.1 } } })
    const answers = await Promise.all(Array.from({ length: 5 }, () => small.get(challengeFor(own))))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 429, 429])
    const limited = answers.find(({ status }) => status === 429)!
    expect(limited.value.code).toBe('JOIN_LIMITED')
    expect(Number(limited.headers['retry-after'])).toBe(10)
    await small.close()
  })
})

describe('the log', () => {
  it('has one line for many refusals of strangers, and never a proof', async () => {
    for (let n = 0; n < 20; n++) await end.join({ id: `i-${n}`, proof: { kind: 'word', secret: 'hunter2' } })
    expect(end.logger.lines.filter((line) => line.includes('JOIN_INSTANCE_UNKNOWN'))).toHaveLength(1)
    expect(end.logger.lines.join()).not.toContain('hunter2')
    expect(end.outcomes).toHaveLength(20)
  })
})

it('a sender that goes in the middle of its request is no event', async () => {
  const socket = connect({ host: '127.0.0.1', port: end.port, rejectUnauthorized: false })
  await new Promise<void>((resolve) => socket.once('secureConnect', () => resolve()))
  socket.write('POST /v1/join HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{')
  await new Promise((resolve) => setTimeout(resolve, 50))
  socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect((await end.join()).status).toBe(200)
  expect(end.logger.lines.filter((line) => !line.startsWith('info'))).toEqual([])
})
