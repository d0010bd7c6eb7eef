// A join endpoint for tests: a TLS listener with the service behind it, instances that the test names, and proofs that are a word.
import { mkdtempSync, rmSync } from 'node:fs'
import { request as tlsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listen } from '../../src/http/listen.ts'
import type { JoinOptions, JoinOutcome, JoinPool, LaunchedInstance } from '../../src/join/index.ts'
import { ensureCa, openAgentsCa } from '../../src/join/issuer.ts'
import { joinHandler } from '../../src/join/service.ts'
import { systemClock, wallTime } from '../../src/platform/clock.ts'
import { ProvisionError, problem } from '../../src/problems/index.ts'
import type { JoinProofVerifier, ProofInstance, ProofRequest } from '../../src/providers/index.ts'
import { type CapturingLogger, capturingLogger } from './capturing-logger.ts'
import { challengeFor, csrOf } from './csr.ts'
import { storeIn } from './state-store.ts'
import { type TestKey, testKey } from './test-keys.ts'
import { dns } from './x509-extensions.ts'
import { server as serverCertificate } from './x509-profiles.ts'

export const day = 86_400_000
export const aliveId = 'i-0123456789abcdef0'

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests read it field by field
  value: any
}

export interface Sent {
  id?: string
  key?: TestKey
  proof?: unknown
  nonce?: string
  csr?: string
  url?: string
  headers?: Record<string, string>
  /** Certificate of the connection, PEM, with the key above or this one. */
  shown?: string
  shownKey?: TestKey
}

export interface JoinEndpoint {
  options: JoinOptions
  instances: Map<string, LaunchedInstance>
  /** What verifiers were asked. */
  asked: (ProofRequest & { instance: ProofInstance })[]
  outcomes: JoinOutcome[]
  logger: CapturingLogger
  stateDir: string
  port: number
  get(path: string): Promise<Answer>
  post(path: string, body: unknown, sent?: Pick<Sent, 'headers' | 'shown' | 'shownKey'>): Promise<Answer>
  /** For this key; by default that of `join`. */
  nonce(key?: TestKey): Promise<string>
  join(sent?: Sent): Promise<Answer>
  renew(certificate: string, sent?: Sent): Promise<Answer>
  close(): Promise<void>
}

/** Accepts the proof that names the instance and the nonce; `{down: true}` is what cannot be verified now. */
export function wordVerifier(asked: ProofRequest[]): JoinProofVerifier {
  return {
    kind: 'word',
    async verify(request) {
      asked.push(request)
      const { of, nonce, down } = request.proof as Record<string, unknown>
      const refusal = (code: 'JOIN_PROOF_INVALID' | 'JOIN_PROOF_OTHER' | 'JOIN_PROOF_UNCHECKED') =>
        new ProvisionError(problem(code, 'as the test wants it'))
      if (down) throw refusal('JOIN_PROOF_UNCHECKED')
      if (nonce !== request.nonce) throw refusal('JOIN_PROOF_INVALID')
      if (of !== request.instance.id) throw refusal('JOIN_PROOF_OTHER')
    },
  }
}

export async function joinEndpoint(given: Partial<JoinOptions> = {}): Promise<JoinEndpoint> {
  const stateDir = mkdtempSync(join(tmpdir(), 'join-'))
  const { clock = systemClock } = given
  const store = given.store ?? storeIn(stateDir, clock).join
  const logger = capturingLogger()
  const asked: ProofRequest[] = []
  const outcomes: JoinOutcome[] = []
  const instances = new Map<string, LaunchedInstance>()
  instances.set(aliveId, launched(aliveId))
  const pool: JoinPool = {
    url: 'https://provision.test:8444',
    otherUrls: ['https://other.test:8444'],
    verifiers: [wordVerifier(asked)],
  }
  const options: JoinOptions = {
    ca: openAgentsCa(store),
    store,
    poolOf: (name) => (name === 'gpu' ? pool : undefined),
    lookup: (id) => instances.get(id),
    lifetime: 7 * day,
    clock,
    logger,
    onOutcome: (outcome) => outcomes.push(outcome),
    ...given,
    limits: { refusalAfter: 0, ...given.limits },
  }
  await ensureCa(store, wallTime(clock))
  const server = serverCertificate(undefined, { names: [dns('provision.test')] })
  const listener = await listen({
    address: '127.0.0.1',
    port: 0,
    tls: {
      cert: server.pem,
      key: server.key.pem,
      clientCas: { agents: (await options.ca.current()).bundle },
    },
    handlers: [joinHandler(options)],
    logger,
  })
  const { port } = listener

  function send(method: string, path: string, body: unknown, { headers, shown, shownKey }: Sent = {}) {
    return new Promise<Answer>((resolve, reject) => {
      const pair = shown === undefined ? {} : { cert: shown, key: (shownKey ?? testKey('p256', 'csr')).pem }
      const to = {
        host: '127.0.0.1',
        port,
        servername: 'provision.test',
        ca: server.pem,
        agent: false as const,
      }
      const sent = tlsRequest({ ...to, method, path, ...pair, ...(headers && { headers }) }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const value = text.startsWith('{') ? JSON.parse(text) : undefined
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, value })
        })
      })
      sent.on('error', reject)
      sent.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body))
    })
  }
  const nonce = async (key = testKey('p256', 'csr')) =>
    (await send('GET', challengeFor(key), undefined)).value.nonce as string

  return {
    options,
    instances,
    asked,
    outcomes,
    logger,
    stateDir,
    port,
    get: (path) => send('GET', path, undefined),
    post: (path, body, sent) => send('POST', path, body, sent),
    nonce,
    async join({ id = aliveId, key = testKey('p256', 'csr'), ...sent } = {}) {
      const used = sent.nonce ?? (await nonce(key))
      const csr = sent.csr ?? csrOf({ subject: id, key }).toString('base64')
      const proof = sent.proof ?? { kind: 'word', of: id, nonce: used }
      return send(
        'POST',
        '/v1/join',
        { id, nonce: used, csr, proof, ...(sent.url !== undefined && { url: sent.url }) },
        { ...sent, shownKey: sent.shownKey ?? key },
      )
    },
    renew(certificate, { id = aliveId, key = testKey('p256', 'csr'), ...sent } = {}) {
      const csr = sent.csr ?? csrOf({ subject: id, key }).toString('base64')
      return send('POST', '/v1/join/renew', { csr }, { shown: certificate, shownKey: key, ...sent })
    },
    async close() {
      await listener.close(100)
      rmSync(stateDir, { recursive: true, force: true })
    },
  }
}

export function launched(id: string, more: Partial<LaunchedInstance> = {}): LaunchedInstance {
  return { id, pool: 'gpu', zone: 'z-1', addresses: ['10.0.0.9'], launchedAt: 5, isAlive: true, ...more }
}
