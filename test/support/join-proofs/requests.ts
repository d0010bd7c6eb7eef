// Requests to verifiers of join proofs, and mutations of proofs.
import { systemClock } from '../../../src/platform/clock.ts'
import type {
  JoinProofContext,
  JoinProofVerifier,
  ProofInstance,
  ProofRequest,
} from '../../../src/providers/join-proof.ts'
import { owner } from '../cloud-pools.ts'
import { silentLogger } from '../silent-logger.ts'

export const nonce = 'AZr0c2lnbmF0dXJl_-nonce_0123456789abcdefghij'
export const joinUrl = 'https://provision.internal:8444'

export const joinContext = (more: Partial<JoinProofContext> = {}): JoinProofContext => ({
  owner,
  stateDir: '/nowhere',
  env: {},
  clock: systemClock,
  logger: silentLogger,
  ...more,
})

export function joinRequest(
  proof: unknown,
  instance: Partial<ProofInstance> & { id: string },
  more: Partial<ProofRequest> = {},
): ProofRequest {
  return {
    proof,
    nonce,
    url: joinUrl,
    now: Date.now(),
    instance: { pool: 'gpu', addresses: [], launchedAt: Date.now(), isFirstIssue: true, ...instance },
    ...more,
  }
}

/** `accepted`, or the code of the refusal. Rejects with any other error. */
export async function verdictOf(verifier: JoinProofVerifier, request: ProofRequest): Promise<string> {
  try {
    await verifier.verify(request)
    return 'accepted'
  } catch (error) {
    const { code } = error as { code?: string }
    if (code?.startsWith('JOIN_PROOF_')) return code
    throw error
  }
}

export async function messageOf(verifier: JoinProofVerifier, request: ProofRequest): Promise<string> {
  return verifier.verify(request).then(
    () => 'accepted',
    (error: Error) => error.message,
  )
}

/** Every one-character change of a text that this list knows, each at every position, and inserted and removed characters. */
export function textMutants(text: string): string[] {
  const found = new Set<string>()
  const inserted = [' ', '\t', '\r\n', '\n', '\0', ',', '=', 'a', 'é']
  for (let at = 0; at <= text.length; at++) {
    const [before, after, own = ''] = [text.slice(0, at), text.slice(at + 1), text[at]]
    found.add(before + after)
    found.add(before + (own === own.toUpperCase() ? own.toLowerCase() : own.toUpperCase()) + after)
    found.add(before + (own === 'A' ? 'B' : 'A') + after)
    found.add(before + (own === '0' ? '1' : '0') + after)
    found.add(before + inserted[at % inserted.length] + text.slice(at))
  }
  for (const more of inserted) for (const one of [more + text, text + more]) found.add(one)
  found.add('')
  found.add(text + text)
  found.delete(text)
  return [...found]
}

/** Proofs whose form is wrong: missing and further fields, other types, other kinds. */
export function formMutants(proof: Record<string, string>): unknown[] {
  const entries = Object.entries(proof)
  const values: unknown[] = [undefined, null, 0, true, [], {}, ['x'], { toString: 'x' }]
  return [
    ...values,
    entries,
    [proof],
    JSON.stringify(proof),
    { ...proof, more: '' },
    { ...proof, kind: 'none' },
    { ...proof, kind: proof['kind']!.toUpperCase() },
    ...entries.map(([name]) => Object.fromEntries(entries.filter(([other]) => other !== name))),
    ...entries.flatMap(([name, value]) => [...values, [value]].map((other) => ({ ...proof, [name]: other }))),
    ...entries.map(([name, value]) => ({
      ...Object.fromEntries(entries.filter(([other]) => other !== name)),
      [name.toUpperCase()]: value,
    })),
  ]
}
