// Join proofs: how an instance shows to the join endpoint that it is itself. The port, and what all verifiers share.

import type { Fetch } from '../platform/index.ts'
import { type ProblemCode, ProvisionError, problem } from '../problems/index.ts'
import type { ProviderContext } from './contract.ts'

/** What the provisioner knows of the instance that a sender claims to be; nothing in it comes from the sender. */
export interface ProofInstance {
  id: string
  pool: string
  zone?: string
  /** Addresses that the cloud's listing gives the instance. */
  addresses: readonly string[]
  /** Milliseconds since the epoch. */
  launchedAt: number
  /** It never had a certificate. */
  isFirstIssue: boolean
}

export interface ProofRequest {
  /** As sent: unchecked. */
  proof: unknown
  /** The nonce that the endpoint issued for this request. */
  nonce: string
  /** `join.url` of the pool, without a slash at the end. */
  url: string
  instance: ProofInstance
  /** The time of day, milliseconds since the epoch. */
  now: number
  /** The address that the request came from, if known. A proof that depends on it is refused without it. */
  address?: string
}

export interface JoinProofVerifier {
  /** The value of `kind` in a proof that it verifies. */
  readonly kind: string
  /**
   * Resolves when the sender is that instance, in the account of the pool. Rejects with a ProvisionError: JOIN_PROOF_INVALID
   * (malformed, wrong signature, other nonce), JOIN_PROOF_OTHER (valid, but of another instance, account or project),
   * JOIN_PROOF_UNCHECKED (the cloud could not be asked: the instance may try again); or with the reason of `signal`. No
   * message contains a value of the proof that could be used again.
   */
  verify(request: ProofRequest, signal?: AbortSignal): Promise<void>
  /**
   * Loads what the first proof would have to wait for, and asks nobody. It is called once the join endpoint listens; may be left
   * out. Rejects with what cannot be loaded.
   */
  prepare?(): Promise<void>
}

export interface JoinProofContext
  extends Pick<ProviderContext, 'owner' | 'stateDir' | 'env' | 'clock' | 'logger'> {
  /** For keys of the cloud. Default: the network, by the proxy variables of `env`. */
  fetch?: Fetch | undefined
}

/** Milliseconds by which the time in a proof may differ from ours, either way. */
export const proofToleranceMs = 300_000

/** A verifier whose file is loaded by `prepare`, or when the first proof arrives. */
export function lazyVerifier(kind: string, load: () => Promise<JoinProofVerifier>): JoinProofVerifier {
  let loading: Promise<JoinProofVerifier> | undefined
  const loaded = () => (loading ??= load())
  return {
    kind,
    async verify(request, signal) {
      await (await loaded()).verify(request, signal)
    },
    async prepare() {
      await (await loaded()).prepare?.()
    },
  }
}

/**
 * The fields of a proof. It must be an object with exactly these fields and `kind`; each is a string that its pattern matches.
 * Patterns are anchored, and limit the length. Throws JOIN_PROOF_INVALID.
 */
export function proofFields<Name extends string>(
  proof: unknown,
  kind: string,
  patterns: Readonly<Record<Name, RegExp>>,
): Record<Name, string> {
  if (typeof proof !== 'object' || proof === null || Array.isArray(proof))
    throw invalid(kind, 'not an object')
  const sent = new Map<string, unknown>(Object.entries(proof))
  if (sent.get('kind') !== kind) throw invalid(kind, 'of another kind')
  const names = Object.keys(patterns) as Name[]
  if (sent.size !== names.length + 1) throw invalid(kind, 'its fields are not those of this kind')
  const fields = names.map((name): [Name, string] => {
    const value = sent.get(name)
    if (typeof value !== 'string' || !patterns[name].test(value))
      throw invalid(kind, `${name} is missing or malformed`)
    return [name, value]
  })
  return Object.fromEntries(fields) as Record<Name, string>
}

/** The bytes of standard base64 in its only form: padded, no other characters, unused bits zero. Throws JOIN_PROOF_INVALID. */
export function decodeBase64(text: string, kind: string, name: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw invalid(kind, `${name} is not base64`)
  return bytes
}

/** Throws JOIN_PROOF_INVALID for a time that is more than five minutes from now, either way, or no time. */
export function checkProofTime(kind: string, name: string, time: number, now: number): void {
  // Also for NaN.
  if (!(Math.abs(now - time) <= proofToleranceMs))
    throw invalid(kind, `${name} is not within ${proofToleranceMs / 60_000} minutes of our time`)
}

/** The proof is malformed, forged, old, or made for another request. */
export function invalid(kind: string, why: string, details: Record<string, unknown> = {}): ProvisionError {
  return proofError('JOIN_PROOF_INVALID', `join proof ${kind} is invalid: ${why}`, { kind, ...details })
}

/** The proof is valid, but of something else than the instance. */
export function other(kind: string, why: string, details: Record<string, unknown> = {}): ProvisionError {
  return proofError('JOIN_PROOF_OTHER', `join proof ${kind} is of another sender: ${why}`, {
    kind,
    ...details,
  })
}

export interface UncheckedOptions {
  cause?: unknown
  remedy?: string
  details?: Record<string, unknown>
}

/** The proof could be neither accepted nor refused. */
export function unchecked(kind: string, why: string, options: UncheckedOptions = {}): ProvisionError {
  const { cause, remedy, details } = options
  return new ProvisionError(
    problem('JOIN_PROOF_UNCHECKED', `join proof ${kind} could not be verified: ${why}`, {
      details: { kind, ...details },
      ...(cause !== undefined && { cause }),
      ...(remedy !== undefined && { remedy }),
    }),
  )
}

function proofError(code: ProblemCode, message: string, details: Record<string, unknown>): ProvisionError {
  return new ProvisionError(problem(code, message, { details }))
}
