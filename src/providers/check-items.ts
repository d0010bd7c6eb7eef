// Collects what `provision check` finds on a cloud: every item, also after one that failed.
import { type Problem, problem } from '../problems/problem.ts'
import type { CheckItem } from './contract.ts'
import type { FailureOf } from './failure.ts'

/**
 * Adds one item to the list: no problem, the one `judge` finds, or the cloud's refusal. Resolves with what was found,
 * or with undefined after a refusal.
 */
export type Attempt = <T>(
  items: CheckItem[],
  what: string,
  look: () => Promise<T>,
  judge?: (found: T) => Problem | undefined,
) => Promise<T | undefined>

export function attemptWith(failureOf: FailureOf): Attempt {
  return async (items, what, look, judge) => {
    try {
      const found = await look()
      const fault = judge?.(found)
      items.push(fault ? { what, problem: fault } : { what })
      return found
    } catch (error) {
      items.push({ what, problem: failureOf(error, `find ${what}`).problem })
      return undefined
    }
  }
}

/** A mistake in the provider block that only the cloud could show. */
export function fault(message: string, remedy?: string): Problem {
  return problem('PROVIDER_CONFIG', message, remedy ? { remedy } : {})
}
