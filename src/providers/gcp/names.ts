// Names of VMs, derived from the intent: a request that takes effect twice clashes with itself.
import { derivedName } from '../../platform/derived-id.ts'
import { type Problem, problem } from '../../problems/problem.ts'

const limit = 63
const hashLength = 12

/** `count` names from number `from` on: prefix, hash of the intent's step, number; at most 63 characters. */
export function namesOf(
  prefix: string,
  intentId: string,
  step: number,
  from: number,
  count: number,
): string[] {
  const hash = derivedName(hashLength, intentId, String(step))
  const room = limit - hashLength - 1 - String(from + count).length
  const start = prefix.startsWith('<') ? prefix : prefix.slice(0, room)
  return Array.from({ length: count }, (_, index) => `${start}${hash}-${from + index}`)
}

/** RFC 1035 labels, which GCE wants names to be: a small letter, then small letters, digits and hyphens. */
export function prefixProblems(prefix: string): Problem[] {
  if (prefix.startsWith('<') || /^(?:[a-z][a-z0-9-]*)?$/.test(prefix)) return []
  return [problem('REQUEST_NAME_REFUSED', `Google Cloud would refuse VM names that begin with "${prefix}"`)]
}
