// Independent checks of the proof `gcp-identity-token`: tokens by PyJWT and Google's own library for Python, and its verdicts.
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { gcp } from '../../../src/providers/gcp/definition.ts'
import { gcpConfig } from '../../support/cloud-pools.ts'
import {
  certificateOf,
  claimsOf,
  engine,
  googleFetch,
  googleKey,
  keyId,
  tokenOf,
} from '../../support/join-proofs/identity-tokens.ts'
import {
  joinContext,
  joinRequest,
  joinUrl,
  messageOf,
  nonce,
  textMutants,
  verdictOf,
} from '../../support/join-proofs/requests.ts'
import { pythonWith } from '../../support/python.ts'
import { converse } from '../tls/run.ts'

let python: string
beforeAll(async () => {
  python = await pythonWith('tokens', join(import.meta.dirname, 'token-requirements.txt'))
})
const ask = <T>(input: object) => converse<T>(python, [join(import.meta.dirname, 'tokens.py')], input)

interface Made {
  certificates: Record<string, string>
  good: Record<string, string>
  bad: Record<string, string>
}

const pool = { project: engine.project_id, zone: engine.zone }
const verifierOf = (certificates: object) =>
  gcp.joinProofs!(gcpConfig(pool), joinContext({ fetch: googleFetch(() => certificates).fetch }))[0]!
const asked = (token: string) =>
  joinRequest({ kind: 'gcp-identity-token', token }, { id: engine.instance_name, zone: engine.zone })

describe('tokens of other makers', () => {
  let made: Made
  beforeAll(async () => {
    made = await ask<Made>({ do: 'make', kid: keyId, claims: claimsOf() })
  })

  it('are accepted', async () => {
    const verifier = verifierOf(made.certificates)
    expect(Object.keys(made.good)).toEqual(['PyJWT', 'google-auth'])
    for (const [maker, token] of Object.entries(made.good))
      expect([maker, await messageOf(verifier, asked(token))]).toEqual([maker, 'accepted'])
  })

  it('with other keys and algorithms are refused', async () => {
    const verifier = verifierOf(made.certificates)
    expect(Object.keys(made.bad)).toHaveLength(8)
    for (const [what, token] of Object.entries(made.bad))
      expect([what, await verdictOf(verifier, asked(token))]).toEqual([what, 'JOIN_PROOF_INVALID'])
  })

  it('with any other character are refused', async () => {
    const verifier = verifierOf(made.certificates)
    for (const mutant of textMutants(made.good['PyJWT']!))
      expect([mutant, await verdictOf(verifier, asked(mutant))]).toEqual([mutant, 'JOIN_PROOF_INVALID'])
  })
})

it("Google's library for Python accepts what the tests call a token, and nothing that is refused here for its signature", async () => {
  const certificates = { [keyId]: certificateOf(googleKey) }
  const audience = `${joinUrl}/v1/join/${nonce}`
  const tokens = [
    tokenOf(claimsOf()),
    tokenOf(claimsOf({ aud: `${audience}x` })),
    tokenOf(
      claimsOf({ iat: Math.floor(Date.now() / 1000) - 9000, exp: Math.floor(Date.now() / 1000) - 5000 }),
    ),
    tokenOf(claimsOf(), { hmac: certificates[keyId]! }),
    tokenOf(claimsOf(), { header: { kid: 'other' } }),
  ]
  const verdicts = await ask<string[]>({ do: 'check', certificates, audience, tokens })
  expect(verdicts[0]).toBe('good')
  expect(verdicts.slice(1)).not.toContain('good')
  const ours = await Promise.all(tokens.map((token) => messageOf(verifierOf(certificates), asked(token))))
  expect(ours.map((message) => message === 'accepted')).toEqual(verdicts.map((verdict) => verdict === 'good'))
})
