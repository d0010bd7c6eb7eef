// The EC2 requests of a launch as data: what `--dry-run` shows is what the provider sends.
import type { AgentSetup } from '../../agent-setup/setup.ts'
import type { Problem } from '../../problems/problem.ts'
import type { BuildRequest, RequestInput } from '../contract.ts'
import type { CloudCall, LaunchRequest } from '../launch.ts'
import type { AwsConfig } from './aws-config.ts'
import { type AwsFacts, settleFacts } from './facts.ts'
import { type LaunchStep, launchSteps } from './launch-steps.ts'
import { metadataProblems } from './machine.ts'
import { intentTag, poolTags, tagProblems } from './tags.ts'

export type AwsRequestInput = Omit<RequestInput<AwsConfig>, 'setup'> & { setup: Pick<AgentSetup, 'master'> }

export interface AwsLaunch {
  region: string
  steps: LaunchStep[]
  problems: Problem[]
}

/** Every call of a launch in order, and what is wrong or unknown about them. Pure. */
export function awsLaunch(input: AwsRequestInput, known: AwsFacts = {}): AwsLaunch {
  const { config, owner, intent } = input
  const { master } = input.setup
  const { facts, problems } = settleFacts(config, known)
  const tags = [...poolTags({ config, owner, master, tagValue: facts.tagValue }), intentTag(intent.id)]
  return {
    region: facts.region,
    steps: launchSteps({ config, owner, master, intent, facts }),
    problems: [...problems, ...tagProblems(tags), ...metadataProblems(config)],
  }
}

/** The first call with the launch templates, then those for VMs it cannot get. */
export function buildRequest(input: AwsRequestInput, known?: AwsFacts): LaunchRequest {
  const { region, steps, problems } = awsLaunch(input, known)
  const [first, ...others] = steps.map(callOf)
  const templates = steps.flatMap((step) => (step.call === 'CreateFleet' ? [step.template] : []))
  return {
    ...first!,
    region,
    ...(templates.length
      ? { before: templates.map((body) => ({ call: 'CreateLaunchTemplate', body: { ...body } })) }
      : {}),
    ...(others.length ? { fallbacks: others } : {}),
    problems,
  }
}

buildRequest satisfies BuildRequest<AwsConfig>

function callOf({ call, request }: LaunchStep): CloudCall {
  return { call, body: { ...request } }
}
