// The rate of join requests: a token bucket for each address and one for all, in bounded memory.
import type { Clock } from '../platform/index.ts'

export interface Rate {
  /** Requests at once. */
  burst: number
  perSecond: number
}

export interface JoinLimits {
  /** Instances of a pool often share the address of a gateway: a thousand of them join in a minute, in two requests each. */
  perAddress: Rate
  overall: Rate
  /** Addresses that are remembered. */
  addresses: number
  /** Proofs that are verified at the same time. */
  atOnce: number
}

export const defaultLimits: JoinLimits = {
  perAddress: { burst: 200, perSecond: 40 },
  overall: { burst: 400, perSecond: 120 },
  addresses: 10_000,
  atOnce: 200,
}

export interface Limiter {
  /** undefined when the request may be answered; else the seconds after which the next one may, at least 1. */
  take(address: string): number | undefined
  /** Addresses that are remembered now. */
  readonly size: number
}

export function createLimiter(
  clock: Clock,
  { perAddress, overall, addresses }: Omit<JoinLimits, 'atOnce'>,
): Limiter {
  /** When the bucket is full again: an address without an entry has a full one. The longest unused entry is the first. */
  const fullAt = new Map<string, number>()
  let allFullAt = 0

  function remember(key: string, at: number, now: number): void {
    fullAt.delete(key)
    fullAt.set(key, at)
    for (const [oldest, full] of fullAt) {
      // One that is forgotten too early gets a full bucket: the rate of all limits what that is worth.
      if (full > now && fullAt.size <= addresses) break
      fullAt.delete(oldest)
    }
  }

  return {
    take(address) {
      const now = clock.now()
      const key = networkOf(address)
      const own = taken(fullAt.get(key) ?? 0, now, perAddress)
      const all = taken(allFullAt, now, overall)
      const wait = Math.max(own.wait, all.wait)
      if (wait > 0) return Math.max(1, Math.ceil(wait / 1000))
      allFullAt = all.fullAt
      remember(key, own.fullAt, now)
      return undefined
    },
    get size() {
      return fullAt.size
    },
  }
}

/** Milliseconds to wait, 0 for none, and when the bucket is full after one more token. */
function taken(fullAt: number, now: number, { burst, perSecond }: Rate): { wait: number; fullAt: number } {
  const interval = 1000 / perSecond
  const next = Math.max(fullAt, now) + interval
  return { wait: Math.max(0, next - now - burst * interval), fullAt: next }
}

/** The address itself for IPv4; the first 64 bits of IPv6, of which one sender has all addresses. */
export function networkOf(address: string): string {
  const [text = ''] = address.split('%')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)
  if (mapped) return mapped[1]!
  if (!text.includes(':')) return text
  const [head = '', tail] = text.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail ? tail.split(':') : []
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length
  const groups = [...front, ...Array<string>(Math.max(0, zeros)).fill('0'), ...back]
  return groups
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')
}
