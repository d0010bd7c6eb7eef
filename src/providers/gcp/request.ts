// The Compute Engine requests of a launch as data: what `--dry-run` shows is what the provider sends.
import type { AgentSetup } from '../../agent-setup/setup.ts'
import type { Problem } from '../../problems/problem.ts'
import type { BuildRequest, RequestInput } from '../contract.ts'
import type { CloudCall, LaunchRequest } from '../launch.ts'
import { type GcpFacts, settleFacts } from './facts.ts'
import type { GcpConfig } from './gcp-config.ts'
import { type LaunchStep, launchSteps } from './launch-steps.ts'
import { prefixProblems } from './names.ts'

export type GcpRequestInput = Omit<RequestInput<GcpConfig>, 'setup'> & { setup: Pick<AgentSetup, 'master'> }

export interface GcpLaunch {
  steps: LaunchStep[]
  problems: Problem[]
}

/** Every call of a launch in order, and what is wrong or unknown about them. Pure. */
export function gcpLaunch(
  { config, owner, intent, setup }: GcpRequestInput,
  known: GcpFacts = {},
): GcpLaunch {
  const { facts, problems } = settleFacts(config, known)
  const steps = launchSteps({ config, owner, master: setup.master, intent, facts })
  const prefix = config.name_prefix ?? ''
  return {
    steps,
    problems: once([...problems, ...prefixProblems(prefix), ...steps.flatMap((step) => step.problems)]),
  }
}

/** The first call, then those for VMs it cannot get. */
export function buildRequest(input: GcpRequestInput, known?: GcpFacts): LaunchRequest {
  const { steps, problems } = gcpLaunch(input, known)
  const [first, ...others] = steps.map(callOf)
  return { ...first!, ...(others.length ? { fallbacks: others } : {}), problems }
}

buildRequest satisfies BuildRequest<GcpConfig>

function callOf({ call, request }: LaunchStep): CloudCall {
  return { call, body: { ...request } }
}

/** Steps of one pool have most of their problems in common. */
function once(problems: Problem[]): Problem[] {
  const seen = new Set<string>()
  return problems.filter(({ code, message }) => {
    const key = `${code} ${message}`
    return !seen.has(key) && seen.add(key)
  })
}
