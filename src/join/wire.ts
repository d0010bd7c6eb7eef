// What instances and the join endpoint exchange: bash without jq must be able to write and read it, so values have one line.
import type { ServerResponse } from 'node:http'
import * as z from 'zod/mini'
import { sendJson } from '../http/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import { idPattern } from './csr.ts'

export const paths = {
  challenge: '/v1/join/challenge',
  join: '/v1/join',
  renew: '/v1/join/renew',
} as const

/** Bytes of a body. A certificate request has some 400, an identity document with its signature some 3,000. */
export const largestBody = 32_768

/** A PKCS #10 in DER, base64 in one line; characters. */
const csr = z.string().check(z.maxLength(4096), z.regex(/^[A-Za-z0-9+/]+={0,2}$/))

const joinBody = z.object({
  id: z.string().check(z.regex(idPattern)),
  nonce: z.string().check(z.maxLength(120)),
  csr,
  /** Of several addresses at which instances may ask, the one for which the proof is made; default: the first. */
  url: z.optional(z.string().check(z.maxLength(2048))),
  /** Its other members are the business of the verifier of its kind. */
  proof: z.looseObject({ kind: z.string().check(z.maxLength(64)) }),
})

const renewalBody = z.object({ csr })

export interface JoinBody {
  id: string
  nonce: string
  csr: Buffer
  url?: string | undefined
  proof: { kind: string }
}

/** SHA-256 in hex, in lower case. */
const digestPattern = /^[0-9a-f]{64}$/

/** What openssl prints in the startup script; there is one form only, because the nonce is bound to the characters. */
const keyParameter =
  '`key` must be given once: the SHA-256 of the SubjectPublicKeyInfo in DER, 64 hex digits in lower case'

/** The key that a nonce is asked for. Throws JOIN_MALFORMED, whose message the sender may read. */
export function readChallenge(query: URLSearchParams): string {
  const [key = '', ...more] = query.getAll('key')
  if (more.length > 0 || !digestPattern.test(key)) throw malformed(keyParameter)
  return key
}

/** Throws JOIN_MALFORMED, which names the member and quotes no value. */
export function readJoin(body: unknown): JoinBody {
  const { csr: text, ...rest } = parsed(joinBody, body)
  return { ...rest, csr: Buffer.from(text, 'base64') }
}

/** Throws JOIN_MALFORMED. Returns the certificate request in DER. */
export function readRenewal(body: unknown): Buffer {
  return Buffer.from(parsed(renewalBody, body).csr, 'base64')
}

function parsed<T>(schema: z.ZodMiniType<T>, body: unknown): T {
  const result = z.safeParse(schema, body)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw malformed(`the member ${issue?.path.join('.') || '(all)'} is missing or not valid`)
}

export function malformed(message: string): ProvisionError {
  return new ProvisionError(problem('JOIN_MALFORMED', message))
}

// Answers. A refusal is the same for every reason: what was wrong is nothing that a stranger should learn.

export interface Issued {
  /** PEM. */
  certificate: string
  /** PEM. */
  ca: string
  /** SHA-256 of its key, hex. */
  key: string
  /** Milliseconds since the epoch. */
  expiresAt: number
}

const pemType = 'application/x-pem-file'

/** As PEM of the certificate alone to who accepts only that, else as JSON with the CA. */
export function sendIssued(
  response: ServerResponse,
  accept: string | undefined,
  { certificate, ca, expiresAt }: Issued,
): true {
  if (!accept?.toLowerCase().includes(pemType))
    return sendJson(response, 200, { certificate, ca, expiresAt: new Date(expiresAt).toISOString() })
  response.writeHead(200, {
    'Content-Type': pemType,
    'Content-Length': Buffer.byteLength(certificate),
    'Cache-Control': 'no-store',
  })
  response.end(certificate)
  return true
}

export function sendRefused(response: ServerResponse): true {
  return sendJson(response, 403, { code: 'JOIN_REFUSED', message: 'refused' })
}

/** Of a challenge without a key: who asks is no instance yet, and learns how to ask. */
export function sendMalformed(response: ServerResponse): true {
  return sendJson(response, 400, { code: 'JOIN_MALFORMED', message: keyParameter })
}

/** @param retryAfter seconds */
export function sendLimited(response: ServerResponse, retryAfter: number): true {
  return sendJson(
    response,
    429,
    { code: 'JOIN_LIMITED', message: 'too many requests' },
    { 'Retry-After': String(retryAfter) },
  )
}

export function sendUnavailable(response: ServerResponse): true {
  return sendJson(
    response,
    503,
    { code: 'JOIN_UNAVAILABLE', message: 'try again later' },
    { 'Retry-After': '5' },
  )
}
