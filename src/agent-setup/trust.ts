// The trust plan of a pool: how its agents will trust the master, under which name, and why.

import { canonicalName } from '../pki/names.ts'
import type { TrustPlan } from '../pki/trust-plan.ts'
import { isError, type Problem, problem } from '../problems/problem.ts'
import { chooseName, isPlausible, type NameChoice, type NameQuestion } from './certificate-name.ts'
import { chooseMode, type ModeChoice, type TrustInput } from './trust-mode.ts'

export type { TrustInput } from './trust-mode.ts'

/** There is a plan only when no problem is an error. */
export function planTrust(input: TrustInput): { plan?: TrustPlan; problems: Problem[] } {
  const conflict = findConflict(input)
  if (conflict) return { problems: [conflict] }
  const choice = chooseMode(input)
  if ('code' in choice) return { problems: [choice] }
  const name = nameFor(input, choice)
  const problems = [...(choice.problems ?? []), ...name.problems]
  if (problems.some(isError)) return { problems }
  const { mode, reason, chain = [] } = choice
  return {
    plan: {
      mode,
      modeReason: reason,
      ...(name.certificateName && { certificateName: name.certificateName }),
      certificateNameReason: name.reason,
      chain,
    },
    problems,
  }
}

function findConflict({ address, options, material, where }: TrustInput): Problem | undefined {
  const { trust } = options
  const conflict = (message: string) => problem('TLS_TRUST_CONFLICT', message, { where })
  if (address.scheme === 'http') {
    if (material && trust !== 'off')
      return problem('TLS_CERT_WITHOUT_HTTPS', `agents dial plain http, but ${material.file} is configured`, {
        where,
      })
    if (trust !== 'off' && trust !== 'auto')
      return conflict(`tls.trust is ${trust}, but agents dial plain http`)
    if (options.ca_file) return conflict('tls.ca_file is set, but agents dial plain http')
    return undefined
  }
  if (trust === 'off') return conflict('tls.trust is off, but agents dial https')
  if (options.ca_file && (trust === 'system' || trust === 'skip_verify'))
    return conflict(`tls.ca_file is set, but tls.trust is ${trust}`)
  return undefined
}

function nameFor(input: TrustInput, { mode, leaf, unsure }: ModeChoice): NameChoice {
  if (mode === 'off') return { reason: 'without TLS there is nothing to verify', problems: [] }
  if (mode === 'skip_verify')
    return {
      // Tasks do not skip: they verify this name with their own CAs.
      ...(input.certificateName && { certificateName: canonicalName(input.certificateName) }),
      reason: 'agents verify nothing',
      problems: [],
    }
  const question: NameQuestion = {
    host: input.address.host,
    explicit: input.certificateName,
    allowIpOnly: input.options.allow_ip_only,
    where: input.where,
  }
  return chooseName(leaf && (!unsure || isPlausible(question, leaf)) ? { ...question, leaf } : question)
}
