// The join endpoint: what an instance asks, who it is, which key it may have, and its certificate.
import type { X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { TLSSocket } from 'node:tls'
import { pathOf, queryOf, readJson, sendJson } from '../http/index.ts'
import { type Clock, type Handler, type Logger, wallTime, withDeadline } from '../platform/index.ts'
import { type ProblemCode, ProvisionError, problem } from '../problems/index.ts'
import type { JoinProofVerifier, ProofRequest } from '../providers/index.ts'
import type { JoinStore } from '../state/index.ts'
import { isFresh, makeNonce } from './challenge.ts'
import { type CsrKey, readCsr } from './csr.ts'
import {
  type Asked,
  type Decision,
  decideJoin,
  decideRenewal,
  earlierOf,
  type LastIssued,
  type LaunchedInstance,
} from './decide.ts'
import { type AgentsCa, expiryOf, instanceIn, issueTo } from './issuer.ts'
import { createLimiter, defaultLimits, type JoinLimits } from './limits.ts'
import { type JoinOutcome, type Request, reportsOf } from './reports.ts'
import {
  type Issued,
  largestBody,
  malformed,
  paths,
  readChallenge,
  readJoin,
  readRenewal,
  sendIssued,
  sendLimited,
  sendMalformed,
  sendRefused,
  sendUnavailable,
} from './wire.ts'

/** A pool whose instances need a certificate. */
export interface JoinPool {
  /** Its `join.url`, without a slash at the end. */
  url: string
  /** Of several masters the others, at which its instances may ask as well. */
  otherUrls?: readonly string[]
  /** Of the kinds of proof that the pool accepts. */
  verifiers: readonly JoinProofVerifier[]
}

export interface JoinOptions {
  ca: AgentsCa
  store: JoinStore
  /** undefined for a pool that has no `join`. */
  poolOf: (pool: string) => JoinPool | undefined
  /**
   * What the journals and the newest listing know of an instance; undefined for one that was not launched by this cluster. A
   * rejection means that it is not known now: the instance tries again.
   */
  lookup: (id: string) => LaunchedInstance | undefined | Promise<LaunchedInstance | undefined>
  /** Milliseconds for which certificates of instances are valid. */
  lifetime: number
  clock: Clock
  logger: Logger
  limits?: Partial<JoinLimits>
  /** Called for each request that reached the endpoint; for metrics and `check`. */
  onOutcome?: (outcome: JoinOutcome) => void
}

/** Milliseconds for a verifier: it asks the cloud. */
const proofDeadline = 10_000
/** Reads of the store when several requests change the same binding at once. */
const mostAttempts = 20

/**
 * To be asked before handlers that want a token. Only on a TLS listener; it must ask for client certificates, for renewals.
 */
export function joinHandler(options: JoinOptions): Handler {
  const { ca, store, clock, lookup } = options
  const limits = { ...defaultLimits, ...options.limits }
  const limiter = createLimiter(clock, limits)
  const report = reportsOf(options)
  let verifying = 0

  /** Alive, and of a pool with `join`. */
  async function instanceOf(id: string): Promise<{ instance: LaunchedInstance; pool: JoinPool }> {
    const instance = await lookup(id)
    const pool = instance && options.poolOf(instance.pool)
    if (!instance || !pool) throw refusal('JOIN_INSTANCE_UNKNOWN', 'not launched into a pool with `join`')
    if (!instance.isAlive) throw refusal('JOIN_INSTANCE_GONE', 'no longer listed')
    return { instance, pool }
  }

  async function join(request: Request, body: unknown): Promise<Issued> {
    const { id, nonce, csr, url, proof } = readJoin(body)
    request.id = id
    const { nonceKey } = await ca.current()
    // In the order of what it costs us: a stranger reaches the store and the cloud only with what it cannot make up.
    const key = readCsr(csr, id)
    if (!isFresh(nonce, nonceKey, key.key, wallTime(clock)))
      throw refusal('JOIN_NONCE_INVALID', 'not made here for this key, or older than a minute')
    const { instance, pool } = await instanceOf(id)
    request.pool = instance.pool
    const verifier = pool.verifiers.find(({ kind }) => kind === proof.kind)
    if (!verifier) throw refusal('JOIN_PROOF_KIND', 'the pool does not accept this kind of proof')
    if (!(await store.takeNonce(nonce))) throw refusal('JOIN_NONCE_USED', 'it was used before')
    // The first answer may have been lost: the same key may ask again.
    const bound = await store.binding(id)
    const isFirstIssue = bound === undefined || bound.key === key.key
    const { zone, addresses, launchedAt } = instance
    const shown = { id, pool: instance.pool, ...(zone !== undefined && { zone }), addresses, launchedAt }
    await verified(verifier, {
      proof,
      nonce,
      // What the instance names is only which of our own: the proof shows for which it was made.
      url: pool.otherUrls?.find((other) => other === url) ?? pool.url,
      instance: { ...shown, isFirstIssue },
      now: wallTime(clock),
      address: request.address,
    })
    return issue(instance, key, decideJoin)
  }

  async function verified(verifier: JoinProofVerifier, asked: ProofRequest): Promise<void> {
    try {
      const what = `a proof of kind ${verifier.kind}`
      await withDeadline(clock, proofDeadline, what, (signal) => verifier.verify(asked, signal))
    } catch (error) {
      if (!(error instanceof ProvisionError) || error.code !== 'CALL_TIMED_OUT') throw error
      throw refusal('JOIN_PROOF_UNCHECKED', error.problems[0]!.message)
    }
  }

  async function renew(request: Request, body: unknown, shown: X509Certificate | undefined): Promise<Issued> {
    const csr = readRenewal(body)
    const found = shown && instanceIn(shown, await ca.current(), wallTime(clock))
    if (!found) throw refusal('JOIN_CERTIFICATE_INVALID', 'no valid certificate of an instance was shown')
    request.id = found.id
    const { instance } = await instanceOf(found.id)
    request.pool = instance.pool
    const key = readCsr(csr, found.id)
    if (key.key !== found.key)
      throw refusal('JOIN_CERTIFICATE_INVALID', 'the request has another key than the certificate')
    return issue(instance, key, decideRenewal, found.issuer)
  }

  /**
   * Stores the binding before the certificate exists, and gives the certificate away only if the CA is the same as before:
   * a CA that stopped issuing in between has no certificate that its bindings do not show.
   */
  async function issue(
    instance: LaunchedInstance,
    { key, publicKey }: CsrKey,
    decide: (asked: Asked) => Decision,
    shown?: string,
  ): Promise<Issued> {
    const { id } = instance
    /** Of a binding that was written here, and for which no certificate exists. */
    let unused: { revision: number; last: LastIssued | undefined } | undefined
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const current = await ca.current()
      const now = wallTime(clock)
      const found = await store.binding(id)
      const decision = decide({ instance, binding: found, key, now })
      if (decision.outcome === 'refuse') {
        const { code, note } = decision
        if (note && found && !(await store.replaceBinding(note, found))) continue
        throw refusal(code, `first joined with another key at ${found ? timeOf(found.boundAt) : 'no time'}`)
      }
      const expiresAt = expiryOf(current, options.lifetime, now)
      const issuer = current.issuing.id
      const last = found && found.revision === unused?.revision ? unused.last : found
      const earlier = earlierOf(last, { issuer, key, now }, shown)
      const next = { ...decision.binding, issuer, expiresAt, ...(earlier && { earlier }) }
      if (found) {
        if (!(await store.replaceBinding(next, found))) continue
      } else {
        const bound = await store.bind(next)
        if (bound.key !== key || bound.issuer !== issuer || bound.expiresAt !== expiresAt) continue
      }
      unused = { revision: (found?.revision ?? 0) + 1, last }
      const certificate = await issueTo(current, { id, publicKey, now, expiresAt })
      if ((await ca.current()).version === current.version)
        return { certificate, ca: current.bundle, key, expiresAt }
    }
    throw new ProvisionError(
      problem('JOIN_UNAVAILABLE', 'other requests changed the same binding all the time'),
    )
  }

  /** The answer of a route, whatever happens. */
  async function answer(
    request: Request,
    message: IncomingMessage,
    response: ServerResponse,
    work: () => Promise<() => true>,
  ): Promise<true> {
    // A message whose body was not read to its end has no socket any more.
    const { socket } = message
    const wait = limiter.take(request.address)
    if (wait !== undefined) {
      report(request, { outcome: 'limited', code: 'JOIN_LIMITED' })
      return sendLimited(response, wait)
    }
    try {
      return (await work())()
    } catch (error) {
      // The sender has gone.
      if (socket.destroyed) throw error
      const outcome = outcomeOf(error)
      report(request, outcome, error)
      if (outcome.outcome !== 'refused') return sendUnavailable(response)
      if (request.path === paths.challenge) return sendMalformed(response)
      // Who is unknown is refused before anything is asked: its time must not tell which instances there are.
      const early = request.startedAt + limits.refusalAfter - clock.now()
      if (early > 0) await clock.sleep(early)
      return sendRefused(response)
    }
  }

  async function challenge(message: IncomingMessage): Promise<{ nonce: string; expiresAt: string }> {
    const agentKey = readChallenge(queryOf(message))
    const { nonce, expiresAt } = makeNonce((await ca.current()).nonceKey, agentKey, wallTime(clock))
    return { nonce, expiresAt: timeOf(expiresAt) }
  }

  async function certificateFor(request: Request, message: IncomingMessage): Promise<Issued> {
    const body = await readJson(message, largestBody)
    if (!body.ok) throw malformed(body.message)
    if (request.path === paths.renew) return renew(request, body.value, peerOf(message))
    if (verifying >= limits.atOnce) throw new ProvisionError(problem('JOIN_UNAVAILABLE', 'too many at once'))
    verifying++
    try {
      return await join(request, body.value)
    } finally {
      verifying--
    }
  }

  return (message, response) => {
    const path = pathOf(message)
    if (!Object.values<string>(paths).includes(path)) return false
    const request: Request = { path, address: message.socket.remoteAddress ?? '', startedAt: clock.now() }
    const isRead = message.method === 'GET' || message.method === 'HEAD'
    if (path === paths.challenge ? !isRead : message.method !== 'POST')
      return sendJson(response, 405, { message: `method ${message.method} is not allowed for ${path}` })
    return answer(request, message, response, async () => {
      if (path === paths.challenge) {
        const made = await challenge(message)
        return () => sendJson(response, 200, made)
      }
      const issued = await certificateFor(request, message)
      report(request, { outcome: path === paths.renew ? 'renewed' : 'issued', key: issued.key })
      return () => sendIssued(response, message.headers.accept, issued)
    })
  }
}

/** Reads the certificate in a way that no curve of a stranger can crash. */
function peerOf({ socket }: IncomingMessage): X509Certificate | undefined {
  return socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
}

/** Codes that say something about the request; all others say that it could not be judged. */
const refusals: ReadonlySet<ProblemCode> = new Set([
  'JOIN_MALFORMED',
  'JOIN_CSR_INVALID',
  'JOIN_NONCE_INVALID',
  'JOIN_NONCE_USED',
  'JOIN_INSTANCE_UNKNOWN',
  'JOIN_INSTANCE_GONE',
  'JOIN_PROOF_KIND',
  'JOIN_PROOF_INVALID',
  'JOIN_PROOF_OTHER',
  'JOIN_KEY_CHANGED',
  'JOIN_KEY_CONTESTED',
  'JOIN_CERTIFICATE_INVALID',
])

function outcomeOf(error: unknown): { outcome: 'refused' | 'unavailable'; code: ProblemCode } {
  const code = (error instanceof ProvisionError && error.code) || 'INTERNAL'
  return { outcome: refusals.has(code) ? 'refused' : 'unavailable', code }
}

function refusal(code: ProblemCode, message: string): ProvisionError {
  return new ProvisionError(problem(code, message))
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}
