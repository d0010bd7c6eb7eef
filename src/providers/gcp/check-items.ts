// How findings of `provision check` are collected: every item, also after one that failed.
import { type Problem, problem } from '../../problems/problem.ts'
import type { CheckItem } from '../contract.ts'
import { gceFailure } from './gce-failure.ts'

/** Adds what came of a look: nothing to say, a problem it found, or Google's refusal. Gives what was found. */
export async function attempt<T>(
  items: CheckItem[],
  what: string,
  look: () => Promise<T>,
  judge: (found: T) => Problem | undefined = () => undefined,
): Promise<T | undefined> {
  try {
    const found = await look()
    const fault = judge(found)
    items.push(fault ? { what, problem: fault } : { what })
    return found
  } catch (error) {
    items.push({ what, problem: gceFailure(error, `find ${what}`).problem })
    return undefined
  }
}

export function fault(message: string, remedy?: string): Problem {
  return problem('PROVIDER_CONFIG', message, remedy ? { remedy } : {})
}
