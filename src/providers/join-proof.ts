// The port of join proofs: how an instance shows what it is. Each provider brings the verifiers of its kinds.

export interface ProofInstance {
  id: string
  pool: string
  zone?: string
  /** As listed: private and public. */
  addresses: readonly string[]
  /** Milliseconds since the epoch. */
  launchedAt: number
  /** No key is bound to the instance yet. */
  isFirstIssue: boolean
}

export interface ProofRequest {
  /** As sent: unchecked. */
  proof: unknown
  nonce: string
  /** `join.url` of the pool, without a slash at the end. */
  url: string
  instance: ProofInstance
  /** Milliseconds since the epoch. */
  now: number
}

export interface JoinProofVerifier {
  /** The value of `proof.kind`. */
  readonly kind: string
  /**
   * Resolves when the sender is that instance, in the account of the pool. Throws a ProvisionError: JOIN_PROOF_INVALID
   * (malformed, wrong signature, another nonce, …), JOIN_PROOF_OTHER (a valid proof of another instance, account or
   * project), JOIN_PROOF_UNCHECKED (the cloud could not be asked: try again).
   */
  verify(request: ProofRequest, signal?: AbortSignal): Promise<void>
}
