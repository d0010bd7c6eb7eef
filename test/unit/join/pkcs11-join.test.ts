// Joins at an endpoint whose CA key is in a token: what instances get while that cannot sign.
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openAgentsCa } from '../../../src/join/issuer.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { challengeFor } from '../../support/csr.ts'
import { FakeToken, pin } from '../../support/fake-token.ts'
import { type JoinEndpoint, joinEndpoint } from '../../support/join-service.ts'
import { storeIn } from '../../support/state-store.ts'
import { testKey } from '../../support/test-keys.ts'
import { authority } from '../../support/x509-profiles.ts'

const own = authority('In a token', { key: testKey('p256', 'joins in a token') })
const keys = [{ label: 'agents-ca', id: '01', pem: own.key.pem }]
let dir: string
let token: FakeToken
let end: JoinEndpoint
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'token-join-'))
  token = new FakeToken(own.key)
  writeFileSync(join(dir, 'ca.pem'), own.pem)
  const store = storeIn(dir, systemClock).join
  const ca = openAgentsCa(store, { certificateFile: join(dir, 'ca.pem'), key: token.key })
  end = await joinEndpoint({ store, ca })
})
afterEach(async () => {
  await end.close()
  token.close()
  rmSync(dir, { recursive: true, force: true })
})

it('an instance gets a certificate that the token has signed, and renews it', async () => {
  const { status, value } = await end.join()
  expect([status, value.ca]).toEqual([200, own.pem])
  expect(new X509Certificate(value.certificate).verify(new X509Certificate(own.pem).publicKey)).toBe(true)
  expect((await end.renew(value.certificate)).status).toBe(200)
})

it('an instance is asked to come again while the token refuses, and gets it with the same key later', async () => {
  writeFileSync(token.key.pinFile, 'wrong')
  const { status, text } = await end.join()
  expect([status, text]).toEqual([503, '{"code":"JOIN_UNAVAILABLE","message":"try again later"}'])
  expect(end.outcomes.map(({ outcome, code }) => [outcome, code])).toEqual([
    ['unavailable', 'AGENTS_CA_TOKEN'],
  ])
  expect(end.logger.lines.join()).toMatch(/the PIN in .*pin was refused by the token/)
  expect(end.logger.lines.join()).not.toContain('wrong')
  writeFileSync(token.key.pinFile, pin)
  expect((await end.join()).status).toBe(200)
})

it('a token that does not answer holds nothing but the certificates, and those for seconds only', async () => {
  token.is({ pin, keys, does: 'hang' })
  const start = performance.now()
  const joins = Promise.all([1, 2, 3, 4, 5].map(() => end.join()))
  await expect.poll(() => token.calls().length).toBe(1)
  for (let n = 0; n < 20; n++) expect((await end.get(challengeFor(testKey('p256', 'csr')))).status).toBe(200)
  expect(performance.now() - start).toBeLessThan(4_500)
  expect((await joins).map(({ status }) => status)).toEqual([503, 503, 503, 503, 503])
  expect(performance.now() - start).toBeLessThan(15_000)
  expect(token.calls()).toHaveLength(1)
})
