// The proof `gcp-identity-token`: a token that Google signs for the instance, with the join endpoint and our nonce as its audience.
// https://cloud.google.com/compute/docs/instances/verifying-instance-identity

import { type Fetch, type MetadataOptions, orAborted, outgoingFetch, reasonOf } from '../../platform/index.ts'
import {
  checkProofTime,
  invalid,
  type JoinProofContext,
  type JoinProofVerifier,
  other,
  type ProofInstance,
  proofFields,
  unchecked,
} from '../join-proof.ts'
import { cachedAnswer } from '../online-facts.ts'
import { type TokenKeys, tokenClient } from './compute-package.ts'
import { tokenKind } from './join-kinds.ts'
import { projectAndZone } from './request.ts'
import type { GcpConfig } from './rules.ts'

/** The `iss` of tokens of the metadata server. */
const issuer = 'https://accounts.google.com'

/** Seconds that a token is valid for. */
const lifetime = 3600

const patterns = { token: /^[\w-]{10,2048}\.[\w-]{10,8192}\.[\w-]{10,2048}$/ }

export function identityTokenVerifier(config: GcpConfig, context: JoinProofContext): JoinProofVerifier {
  const { env, clock, fetch = outgoingFetch(env) } = context
  const { keys, check } = googleTokens(fetch)
  const knownKeys = cachedAnswer(clock, keysTtlMs, keys)
  const metadata: MetadataOptions = { fetch: globalThis.fetch, clock, env }
  const place = cachedAnswer(clock, placeTtlMs, async (): Promise<PoolPlace> => {
    const { project, zone } = await projectAndZone(config, metadata)
    return { project, zones: config.zones.length > 0 ? config.zones : [zone] }
  })
  return {
    kind: tokenKind,
    async verify({ proof, nonce, url, instance, now }, signal) {
      const { token } = proofFields(proof, tokenKind, patterns)
      const { kid } = readToken(token)
      const orUnchecked = <T>(what: string, answer: Promise<T>) =>
        answer.catch((error: unknown): never => {
          signal?.throwIfAborted()
          throw unchecked(tokenKind, `${what}: ${reasonOf(error)}`, { cause: error })
        })
      const known = await orUnchecked("cannot read Google's public keys", knownKeys(signal))
      const claims = await check(token, kid, known, `${url}/v1/join/${nonce}`)
      checkProofTime(tokenKind, 'iat', Number(claims['iat']) * 1000, now)
      checkInstance(claims, instance, await orUnchecked('the project of the pool is unknown', place(signal)))
    },
  }
}

/**
 * Milliseconds for which the keys are used without asking the library, which keeps them as long as Google says: a stranger cannot make
 * us fetch more often.
 */
const keysTtlMs = 60_000
/** The metadata server of the provisioner's own instance may have to be asked for it. */
const placeTtlMs = 600_000
/** Milliseconds for fetching the keys, with repetitions. */
const keysTimeoutMs = 8000

/** Google's library: it fetches the public keys of Google from their only address, and checks tokens by them. */
function googleTokens(fetch: Fetch) {
  const once: Fetch = (input, init) => fetch(input, { ...init, redirect: 'error' })
  const open = () => tokenClient(once)
  let client = open()
  return {
    async keys(signal?: AbortSignal): Promise<TokenKeys> {
      const deadline = AbortSignal.timeout(keysTimeoutMs)
      const stop = signal ? AbortSignal.any([signal, deadline]) : deadline
      const found = await orAborted(client.certificates(), stop)
      const keys = new Map(Object.entries(found ?? {}))
      if (keys.size === 0 || ![...keys.values()].every(isCertificate)) {
        // It would keep the answer, such as a portal's page, for as long as that says.
        client = open()
        throw new Error('the answer contains something else')
      }
      return Object.fromEntries(keys) as TokenKeys
    },

    /** The claims of a token with this audience. Throws JOIN_PROOF_INVALID. */
    async check(
      token: string,
      kid: string,
      keys: TokenKeys,
      audience: string,
    ): Promise<Record<string, unknown>> {
      if (!Object.hasOwn(keys, kid))
        throw invalid(tokenKind, 'it is signed by a key that is not one of Google')
      try {
        return await client.claims(token, keys, { audience, issuer, lifetime: lifetime + 300 })
      } catch (error) {
        throw invalid(tokenKind, whyRefused(error))
      }
    },
  }
}

function isCertificate(value: unknown): boolean {
  return typeof value === 'string' && value.startsWith('-----BEGIN CERTIFICATE-----')
}

/** The library's messages may contain the token. */
function whyRefused(error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  const known: [RegExp, string][] = [
    [/^Wrong recipient/, 'it was made for another audience: another endpoint, or another request'],
    [/^Invalid issuer/, `it was not issued by ${issuer}`],
    [/^Token used too (?:late|early)|^Expiration time/, 'it is not valid at this time'],
    [/^Invalid token signature/, 'its signature is wrong'],
  ]
  return known.find(([pattern]) => pattern.test(message))?.[1] ?? 'it is not a signed token'
}

/** What the library does not check: each part has its only form, and the algorithm is the one of Google's keys. */
function readToken(token: string): { kid: string } {
  const parts = token.split('.')
  const isOnlyForm = (part: string) => Buffer.from(part, 'base64url').toString('base64url') === part
  const header = parts.every(isOnlyForm) ? objectIn(parts[0]) : undefined
  const { alg, kid, typ } = header ?? {}
  if (alg !== 'RS256' || typeof kid !== 'string' || (typ !== undefined && typ !== 'JWT'))
    throw invalid(tokenKind, 'it is not a token signed with RS256')
  if (!objectIn(parts[1])) throw invalid(tokenKind, 'it has no claims')
  return { kid }
}

function objectIn(part = ''): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

interface PoolPlace {
  /** Its id or its number. */
  project: string
  zones: readonly string[]
}

/** https://cloud.google.com/compute/docs/instances/verifying-instance-identity#payload */
function checkInstance(
  claims: Record<string, unknown>,
  { id, zone }: ProofInstance,
  { project, zones }: PoolPlace,
): void {
  const google = objectOf(claims['google'])
  const engine = objectOf(google?.['compute_engine'])
  if (!engine) throw invalid(tokenKind, 'it does not describe an instance: it was not made with format=full')
  const { instance_name, project_id, project_number, zone: itsZone } = engine
  const isProject = project === project_id || project === String(project_number)
  const isZone = zone === undefined ? zones.includes(String(itsZone)) : itsZone === zone
  if (instance_name === id && isProject && isZone) return
  const shown = [project_id, itsZone, instance_name].map((part) => JSON.stringify(String(part).slice(0, 100)))
  throw other(
    tokenKind,
    `it is of ${shown.join(', ')}, not of instance ${id} in ${zone ?? zones.join(', ')} of project ${project}`,
  )
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}
