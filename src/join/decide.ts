// Which key may get a certificate, as data: the first key of an instance keeps it, and what that means for all that come later.
import type { ProblemCode } from '../problems/index.ts'
import type { Binding } from '../state/index.ts'

/** An instance as our journals and the newest listing have it. Times in milliseconds since the epoch. */
export interface LaunchedInstance {
  id: string
  /** Into which our journal launched it. */
  pool: string
  zone?: string
  addresses: readonly string[]
  launchedAt: number
  /** The newest listing has it, or is older than its launch. */
  isAlive: boolean
}

/** What is known before a certificate is made: the rest follows from the CA. */
export type KeyBinding = Omit<Binding, 'issuer' | 'expiresAt' | 'earlier'>

export type Decision =
  | { outcome: 'issue'; binding: KeyBinding }
  /** `note`: to be stored in place of the binding. */
  | { outcome: 'refuse'; code: ProblemCode; note?: Binding }

export interface Asked {
  instance: LaunchedInstance
  /** In force; undefined: no key is bound yet. */
  binding: Binding | undefined
  /** SHA-256 of the key in the certificate request, hex. */
  key: string
  now: number
}

/** For an instance whose proof was verified. */
export function decideJoin({ instance, binding, key, now }: Asked): Decision {
  const first = { instance: instance.id, pool: instance.pool, key, boundAt: now }
  if (!binding) return { outcome: 'issue', binding: first }
  if ((binding.reissueUntil ?? 0) > now)
    return { outcome: 'issue', binding: key === binding.key ? { ...first, boundAt: binding.boundAt } : first }
  if (key !== binding.key)
    return {
      outcome: 'refuse',
      code: 'JOIN_KEY_CHANGED',
      ...(binding.otherKeyAt === undefined && { note: { ...binding, otherKeyAt: now } }),
    }
  // With a valid certificate the agent itself is the one who renews: only without one it matters who else asked.
  if (binding.otherKeyAt !== undefined && binding.expiresAt <= now)
    return { outcome: 'refuse', code: 'JOIN_KEY_CONTESTED' }
  return { outcome: 'issue', binding: kept(binding, instance) }
}

/** For a connection with a valid certificate of the instance; `key` is that of the certificate and of the request. */
export function decideRenewal({ instance, binding, key, now }: Asked): Decision {
  // A database that went back may have lost the binding: the certificate shows what it was.
  if (!binding)
    return {
      outcome: 'issue',
      binding: { instance: instance.id, pool: instance.pool, key, boundAt: now },
    }
  if (key !== binding.key) return { outcome: 'refuse', code: 'JOIN_CERTIFICATE_INVALID' }
  return { outcome: 'issue', binding: kept(binding, instance) }
}

function kept(binding: Binding, { pool }: LaunchedInstance): KeyBinding {
  const { issuer: _, expiresAt: __, earlier: ___, ...rest } = binding
  return { ...rest, pool }
}

/** What is known of the last certificate of the instance, before the next one is issued to the same key. */
export type LastIssued = Pick<Binding, 'key' | 'issuer' | 'expiresAt' | 'earlier'>

/**
 * The certificate of another issuer that the instance may have to use still, because answers can be lost.
 * @param next the issuer of the next certificate
 * @param shown the issuer of the certificate that the instance has shown, if it has
 */
export function earlierOf(
  last: LastIssued | undefined,
  next: { issuer: string; key: string; now: number },
  shown: string | undefined,
): Binding['earlier'] {
  // Those of another key are over.
  if (!last || last.key !== next.key || shown === next.issuer) return undefined
  const { issuer, expiresAt } = last
  const earlier = issuer === next.issuer ? last.earlier : { issuer, expiresAt }
  return earlier && earlier.expiresAt > next.now ? earlier : undefined
}
