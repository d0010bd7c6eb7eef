// Cached responses of a cloud, so that not every launch asks again.
import { type Clock, type Limiter, limit } from '../platform/index.ts'

/**
 * The tag or label value, and the prefix of VM names, when the master does not run on the cloud of its agents
 * (Determined's provisioner: provconfig/aws_config.go, gcp_config.go).
 */
export const notOnThisCloud = 'determined-ai-determined'

type Ask<T> = (signal?: AbortSignal) => Promise<T>

/**
 * Answers by key: the last one if it is younger than `ttlMs`, else a new one. One call at a time for each key; failures
 * are not cached.
 */
export function cachedAnswers<T>(
  clock: Clock,
  ttlMs: number,
): (key: string, ask: Ask<T>, signal?: AbortSignal) => Promise<T> {
  const known = new Map<string, { oneCall: Limiter; kept?: { answer: T; at: number } }>()
  return (key, ask, signal) => {
    const entry = known.get(key) ?? { oneCall: limit(1) }
    known.set(key, entry)
    return entry.oneCall(async () => {
      if (entry.kept && clock.now() - entry.kept.at < ttlMs) return entry.kept.answer
      const answer = await ask(signal)
      entry.kept = { answer, at: clock.now() }
      return answer
    })
  }
}

/** The last answer if it is younger than `ttlMs`, else a new one. One call at a time; failures are not cached. */
export function cachedAnswer<T>(clock: Clock, ttlMs: number, ask: Ask<T>): Ask<T> {
  const answers = cachedAnswers<T>(clock, ttlMs)
  return (signal) => answers('', ask, signal)
}

/** The name of this host on the cloud, queried once; an error means that it is not on the cloud. */
export function ownIdentity(ask: () => Promise<string | undefined>): () => Promise<string> {
  let identity: Promise<string> | undefined
  return () => {
    identity ??= ask().then(
      (name) => name || notOnThisCloud,
      () => notOnThisCloud,
    )
    return identity
  }
}

/** Slots of instance types, each queried until it is known. */
export function cachedSlots(
  ask: (instanceType: string, signal?: AbortSignal) => Promise<number | undefined>,
): typeof ask {
  const slots = new Map<string, number>()
  return async (instanceType, signal) => {
    const known = slots.get(instanceType) ?? (await ask(instanceType, signal))
    if (known !== undefined) slots.set(instanceType, known)
    return known
  }
}
