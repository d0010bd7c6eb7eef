// The rate of join requests: token buckets for each address and for all together, in bounded memory.
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
  /** Who asks no more often than this may use `kept` when others have used up what there is for all. */
  rare: Rate
  kept: Rate
  /** Addresses that are remembered. */
  addresses: number
  /** Proofs that are verified at the same time. */
  atOnce: number
  /** Milliseconds from a request to its refusal, so that the time does not tell how far it came. */
  refusalAfter: number
}

export const defaultLimits: JoinLimits = {
  perAddress: { burst: 200, perSecond: 40 },
  overall: { burst: 400, perSecond: 120 },
  rare: { burst: 12, perSecond: 0.2 },
  kept: { burst: 200, perSecond: 40 },
  addresses: 10_000,
  atOnce: 200,
  refusalAfter: 500,
}

export interface Limiter {
  /** undefined when the request may be answered; else the seconds after which the next one may, at least 1. */
  take(address: string): number | undefined
  /** Addresses that are remembered now. */
  readonly size: number
}

/** When the buckets of an address are full again. */
interface Filled {
  own: number
  rare: number
}

export function createLimiter(
  clock: Clock,
  { perAddress, overall, rare, kept, addresses }: Omit<JoinLimits, 'atOnce' | 'refusalAfter'>,
): Limiter {
  /** An address without an entry has full buckets. The longest unused entry is the first. */
  const filled = new Map<string, Filled>()
  let [allFullAt, keptFullAt] = [0, 0]

  function remember(key: string, at: Filled, now: number): void {
    filled.delete(key)
    filled.set(key, at)
    for (const [oldest, { own, rare: rareAt }] of filled) {
      // One that is forgotten too early gets full buckets: the rate of all limits what that is worth.
      if (Math.max(own, rareAt) > now && filled.size <= addresses) break
      filled.delete(oldest)
    }
  }

  return {
    take(address) {
      const now = clock.now()
      const key = networkOf(address)
      const before = filled.get(key) ?? { own: 0, rare: 0 }
      const own = taken(before.own, now, perAddress)
      const all = taken(allFullAt, now, overall)
      const asRare = taken(before.rare, now, rare)
      const ofKept = taken(keptFullAt, now, kept)
      // A few that ask as much as they may must not keep the instances out that ask twice and are done.
      const mayUseKept = own.wait + asRare.wait + ofKept.wait === 0
      const wait = Math.max(own.wait, all.wait)
      if (wait > 0 && !mayUseKept) return Math.max(1, Math.ceil(wait / 1000))
      if (wait > 0) keptFullAt = ofKept.fullAt
      else allFullAt = all.fullAt
      // At most empty: after a pause of a minute it asks rarely again.
      const rareFullAt = asRare.wait > 0 ? before.rare : asRare.fullAt
      remember(key, { own: own.fullAt, rare: rareFullAt }, now)
      return undefined
    },
    get size() {
      return filled.size
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
