// The proof `gcp-identity-token`, with tokens signed by a key of the test that is served as Google's.
import { describe, expect, it } from 'vitest'
import { gcp } from '../../../../src/providers/gcp/definition.ts'
import type { JoinProofVerifier, ProofRequest } from '../../../../src/providers/join-proof.ts'
import { gcpConfig } from '../../../support/cloud-pools.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import {
  certificateOf,
  certificatesUrl,
  claimsOf,
  engine,
  googleFetch,
  googleKey,
  keyId,
  nowSeconds,
  tokenOf,
} from '../../../support/join-proofs/identity-tokens.ts'
import {
  formMutants,
  joinContext,
  joinRequest,
  joinUrl,
  messageOf,
  nonce,
  textMutants,
  verdictOf,
} from '../../../support/join-proofs/requests.ts'
import { testKey } from '../../../support/test-keys.ts'

const pool = { project: 'my-project', zone: 'us-central1-a' }
function open(
  fetch = googleFetch().fetch,
  config: Parameters<typeof gcpConfig>[0] = pool,
  more = {},
): JoinProofVerifier {
  const [found, ...others] = gcp.joinProofs!(gcpConfig(config), joinContext({ fetch, ...more }))
  expect(others).toEqual([])
  return found!
}
const verifier = open()
const asked = (token: unknown, instance = {}, more: Partial<ProofRequest> = {}) =>
  joinRequest(
    { kind: 'gcp-identity-token', token },
    { id: engine.instance_name, zone: engine.zone, ...instance },
    more,
  )

describe('an identity token of an instance', () => {
  it('is accepted', async () => {
    expect(verifier.kind).toBe('gcp-identity-token')
    expect(await messageOf(verifier, asked(tokenOf(claimsOf())))).toBe('accepted')
  })

  it.each([
    ['a pool with the number of the project', { ...pool, project: String(engine.project_number) }, {}],
    [
      'a pool of several zones',
      { project: pool.project, zones: ['us-central1-a', 'us-central1-b'] },
      { zone: undefined },
    ],
    ['an instance that no listing had yet', pool, { zone: undefined }],
  ])('is accepted for %s', async (_, config, instance) => {
    expect(await messageOf(open(undefined, config), asked(tokenOf(claimsOf()), instance))).toBe('accepted')
  })

  it.each([
    ['another instance', {}, { instance_name: 'det-agent-0123456789ab-2' }],
    ['another project', {}, { project_id: 'other-project', project_number: 1 }],
    ['another zone', {}, { zone: 'us-central1-b' }],
    ['a name in upper case', {}, { instance_name: engine.instance_name.toUpperCase() }],
    ['a name in a list', {}, { instance_name: [engine.instance_name, 'x'] }],
    ['no name', {}, { instance_name: undefined }],
  ])('of %s is refused', async (_, claims, instance) => {
    expect(await verdictOf(verifier, asked(tokenOf(claimsOf(claims, instance))))).toBe('JOIN_PROOF_OTHER')
  })

  it.each([
    ['a zone of no pool', { zone: undefined }, { zone: 'us-central1-b' }],
    ['another instance of the pool', { id: 'det-agent-0123456789ab-2' }, {}],
  ])('of %s is refused, by what we know', async (_, instance, of) => {
    expect(await verdictOf(verifier, asked(tokenOf(claimsOf({}, of)), instance))).toBe('JOIN_PROOF_OTHER')
  })

  const audience = (text: string) => ({ aud: text })
  it.each([
    ['another nonce', audience(`${joinUrl}/v1/join/${nonce}x`)],
    ['another endpoint', audience(`https://evil.example.com/v1/join/${nonce}`)],
    ['an endpoint in upper case', audience(`${joinUrl.toUpperCase()}/v1/join/${nonce}`)],
    ['an audience with a slash at its end', audience(`${joinUrl}/v1/join/${nonce}/`)],
    ['several audiences', { aud: [`${joinUrl}/v1/join/${nonce}`, 'x'] }],
    ['a list of one audience', { aud: [`${joinUrl}/v1/join/${nonce}`] }],
    ['no audience', { aud: undefined }],
    ['another issuer', { iss: 'https://accounts.example.com' }],
    ['an issuer without https', { iss: 'accounts.google.com' }],
    ['the issuer with a slash', { iss: 'https://accounts.google.com/' }],
    ['no issuer', { iss: undefined }],
    ['the standard format', { google: undefined }],
    ['other claims of Google', { google: { organization_number: 1 } }],
    ['an expired time', { iat: nowSeconds() - 4000, exp: nowSeconds() - 400 }],
    ['a time six minutes ago', { iat: nowSeconds() - 360 }],
    ['a time in six minutes', { iat: nowSeconds() + 360 }],
    ['no time', { iat: undefined }],
    ['no end', { exp: undefined }],
    ['an end in a year', { exp: nowSeconds() + 31_536_000 }],
    ['a time in words', { iat: 'now' }],
  ])('with %s is refused', async (_, claims) => {
    expect(await verdictOf(verifier, asked(tokenOf(claimsOf(claims))))).toBe('JOIN_PROOF_INVALID')
  })

  it.each([
    ['no algorithm', { header: { alg: 'none' } }],
    ['no algorithm and no signature', { header: { alg: 'none' }, hmac: '' }],
    ['HMAC by the certificate', { header: { alg: 'HS256' }, hmac: certificateOf(googleKey) }],
    ['HMAC by the certificate, called RS256', { hmac: certificateOf(googleKey) }],
    ['the name of another algorithm', { header: { alg: 'RS512' } }],
    ['an algorithm in lower case', { header: { alg: 'rs256' } }],
    ['another key', { key: testKey('rsa2048', 'stranger') }],
    ['an unknown key', { header: { kid: 'other' } }],
    ['a key of the prototype', { header: { kid: 'constructor' } }],
    ['no key', { header: { kid: undefined } }],
    ['several keys', { header: { kid: [keyId] } }],
    ['another type', { header: { typ: 'at+jwt' } }],
  ])('signed with %s is refused', async (_, spec) => {
    expect(await verdictOf(verifier, asked(tokenOf(claimsOf(), spec)))).toBe('JOIN_PROOF_INVALID')
  })
})

describe('hostile tokens', () => {
  it('with any other character are refused, and never shown', async () => {
    const token = tokenOf(claimsOf())
    const mutants = textMutants(token)
    expect(mutants.length).toBeGreaterThan(4000)
    for (const mutant of mutants) {
      const message = await messageOf(verifier, asked(mutant))
      if (
        !message.startsWith('JOIN_PROOF_INVALID: ') ||
        message.includes(mutant.slice(40, 80) || 'x'.repeat(99))
      )
        expect([mutant, message]).toEqual([])
    }
  })

  it('with parts in another order, or too many, are refused', async () => {
    const [head, claims, signature] = tokenOf(claimsOf()).split('.') as [string, string, string]
    for (const parts of [
      [head, claims],
      [head, claims, ''],
      [claims, head, signature],
      [head, claims, signature, signature],
      [head, head, signature],
    ])
      expect(await verdictOf(verifier, asked(parts.join('.')))).toBe('JOIN_PROOF_INVALID')
  })

  it('of another form are refused', async () => {
    for (const mutant of formMutants({ kind: 'gcp-identity-token', token: tokenOf(claimsOf()) }))
      expect([mutant, await verdictOf(verifier, { ...asked(''), proof: mutant })]).toEqual([
        mutant,
        'JOIN_PROOF_INVALID',
      ])
  })
})

describe("Google's keys", () => {
  const token = () => tokenOf(claimsOf())

  it('are fetched once, from one address, whatever strangers send', async () => {
    const { fetch, asked: requests } = googleFetch()
    const patient = open(fetch)
    await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        verdictOf(
          patient,
          asked(
            tokenOf(claimsOf(), {
              header: { kid: `k${n}`, jku: 'https://evil.example.com/', x5u: 'https://evil.example.com/' },
            }),
          ),
        ),
      ),
    )
    expect(await messageOf(patient, asked(token()))).toBe('accepted')
    expect(requests).toEqual([certificatesUrl])
  })

  it('are not fetched for what is no token', async () => {
    const { fetch, asked: requests } = googleFetch()
    await verdictOf(open(fetch), asked('a.b.c'))
    await verdictOf(open(fetch), asked(tokenOf(claimsOf(), { header: { alg: 'none' } })))
    expect(requests).toEqual([])
  })

  it('without a lifetime are used for a minute', async () => {
    const { fetch, asked: requests } = googleFetch(() => Response.json({ [keyId]: certificateOf(googleKey) }))
    const clock = new FakeClock(Date.now())
    const patient = open(fetch, pool, { clock })
    for (const ms of [0, 59_000, 2000]) {
      await clock.advance(ms)
      expect(await messageOf(patient, asked(token()))).toBe('accepted')
    }
    expect(requests).toHaveLength(2)
  })

  it.each([
    ['cannot be fetched', () => new Response('', { status: 404 })],
    ['are a page', () => new Response('<html>sign in</html>')],
    ['are none', () => ({})],
    ['are something else', () => ({ [keyId]: 'key' })],
    ['have another form', () => ({ keys: [{ kid: keyId }] })],
  ])('that %s leave the proof unchecked, until they are there', async (_, answer) => {
    let current: () => unknown = answer
    const { fetch } = googleFetch(() => current())
    const patient = open(fetch)
    expect(await verdictOf(patient, asked(token()))).toBe('JOIN_PROOF_UNCHECKED')
    current = () => Response.json({ [keyId]: certificateOf(googleKey) })
    expect(await messageOf(patient, asked(token()))).toBe('accepted')
  })

  it('that never arrive do not hold the caller', async () => {
    const stop = new AbortController()
    const waiting = open(() => new Promise(() => {})).verify(asked(token()), stop.signal)
    setTimeout(() => stop.abort(new Error('stopped')), 50)
    await expect(waiting).rejects.toThrow('stopped')
  })
})

describe('a pool', () => {
  const problems = (more: object) => gcp.joinProblems!(gcpConfig(more))

  it('without a service account is refused, with the lines to add', () => {
    const [found, ...others] = problems({})
    expect(others).toEqual([])
    expect(found).toMatchObject({ code: 'JOIN_PROOF_UNAVAILABLE', severity: 'error' })
    expect(found!.remedy).toMatch(/service_account: \{email: .*base_config: \{serviceAccounts: /)
  })

  it.each([
    [{ service_account: { email: 'agent@my-project.iam.gserviceaccount.com', scopes: [] } }],
    [{ base_config: { serviceAccounts: [{ email: 'default', scopes: [] }] } }],
  ])('with one is not: %j', (more) => {
    expect(problems(more)).toEqual([])
  })
})
