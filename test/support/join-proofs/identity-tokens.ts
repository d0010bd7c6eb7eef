// Identity tokens in the form of Compute Engine's metadata server, and the keys that they are checked with.
import { createHmac, sign } from 'node:crypto'
import type { Fetch } from '../../../src/platform/http-client.ts'
import { type TestKey, testKey } from '../test-keys.ts'
import { issue } from '../x509.ts'
import { joinUrl, nonce } from './requests.ts'

export const googleKey = testKey('rsa2048', 'google')
export const keyId = '3d580f0afc7e5bd3a1b2c3d4e5f60718293a4b5c'
/** The only address of Google's certificates. */
export const certificatesUrl = 'https://www.googleapis.com/oauth2/v1/certs'

export const certificateOf = (key: TestKey) =>
  issue({ key, subject: 'federated-signon.system.gserviceaccount.com' }).pem

export const engine = {
  instance_creation_timestamp: 1_796_000_000,
  instance_id: '152986662232938449',
  instance_name: 'det-agent-0123456789ab-1',
  project_id: 'my-project',
  project_number: 739_419_398_126,
  zone: 'us-central1-a',
}

export const nowSeconds = () => Math.floor(Date.now() / 1000)

export function claimsOf(more: Record<string, unknown> = {}, ofInstance: Record<string, unknown> = {}) {
  return {
    aud: `${joinUrl}/v1/join/${nonce}`,
    azp: '112179062720391305885',
    email: 'agent@my-project.iam.gserviceaccount.com',
    email_verified: true,
    exp: nowSeconds() + 3600,
    google: { compute_engine: { ...engine, ...ofInstance } },
    iat: nowSeconds(),
    iss: 'https://accounts.google.com',
    sub: '112179062720391305885',
    ...more,
  }
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

export interface TokenSpec {
  header?: Record<string, unknown>
  key?: TestKey
  /** Signs with this text as a secret, as an attacker does who knows the certificate. */
  hmac?: string
}

export function tokenOf(claims: object, { header = {}, key = googleKey, hmac }: TokenSpec = {}): string {
  const signed = `${part({ alg: 'RS256', kid: keyId, typ: 'JWT', ...header })}.${part(claims)}`
  const signature =
    hmac === undefined
      ? sign('sha256', Buffer.from(signed), key.privateKey)
      : createHmac('sha256', hmac).update(signed).digest()
  return `${signed}.${signature.toString('base64url')}`
}

/** Answers like Google's server of certificates; other addresses are refused. */
export function googleFetch(keys: () => unknown = () => ({ [keyId]: certificateOf(googleKey) })) {
  const asked: string[] = []
  const fetch: Fetch = async (input, init) => {
    const url = String(input instanceof Request ? input.url : input)
    asked.push(url)
    if (url !== certificatesUrl || init?.redirect !== 'error') throw new Error(`unexpected request to ${url}`)
    const answer = keys()
    if (answer instanceof Response) return answer
    return Response.json(answer, { headers: { 'cache-control': 'public, max-age=20000, must-revalidate' } })
  }
  return { fetch, asked }
}
