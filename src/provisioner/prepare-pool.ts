// Everything known about a pool before anything is launched: trust, agent configuration, user data, request.

import { mergeAgentConfig } from '../agent-setup/agent-config.ts'
import { agentSetupOf } from '../agent-setup/agent-setup.ts'
import { packUserData } from '../agent-setup/pack.ts'
import { type PoolTrustInput, type ProvidedPool, placeOf, poolTrust } from '../agent-setup/pool-trust.ts'
import { renderScript } from '../agent-setup/render.ts'
import type { AgentSetup } from '../agent-setup/setup.ts'
import type { UserData } from '../agent-setup/user-data.ts'
import { isError, type Problem } from '../problems/problem.ts'
import type { Intent, LaunchRequest } from '../providers/launch.ts'
import { launchRequestOf } from '../providers/launch-request.ts'
import { offeringsOf } from '../providers/offerings.ts'
import type { Ownership } from '../providers/ownership.ts'
import { loadTemplate } from './material.ts'

/** What is enough to dial the master as an agent of the pool would. */
export interface DialablePool {
  pool: ProvidedPool
  setup: AgentSetup
  /** Agents show a certificate that lies on their machine image, not here. */
  hasClientCertificate: boolean
}

export interface PreparedPool extends DialablePool {
  userData: UserData
  request: LaunchRequest
}

export interface PreparedOutcome {
  /** undefined when a problem is an error. */
  prepared?: PreparedPool
  /** Also when only the user data or the request is wrong. */
  dialable?: DialablePool
  problems: Problem[]
}

export interface PrepareInput extends PoolTrustInput {
  owner: Ownership
  /** The intent the request is shown for; its offerings are the pool's. */
  intent: Omit<Intent, 'offerings'>
  /** The agent's command line where VMs are processes of this machine. */
  localAgent: string[]
}

/** Takes every step whose input is there, and collects the problems of all. There is a result only without errors. */
export async function preparePool(input: PrepareInput): Promise<PreparedOutcome> {
  const { config, pool, owner } = input
  const { provider } = pool
  const { master, trust, problems } = poolTrust(input)
  const { template, problems: unread } = loadTemplate(provider)
  problems.push(...unread)
  if (!trust) return { problems }
  const merged = mergeAgentConfig(provider.agent_config_file_contents, trust, {
    where: placeOf(config, pool, 'agent_config_file_contents'),
    requireAuthentication: config.resource_manager.require_authentication,
  })
  const setup = agentSetupOf({ ...input, master, trust, agentConfig: merged.config })
  const hasClientCertificate = merged.clientCertificate !== undefined
  const dialable = merged.problems.some(isError) ? undefined : { pool, setup, hasClientCertificate }
  const allowSecrets = provider.allow_secrets_in_user_data
  const rendered = await renderScript(setup, { template, allowSecrets })
  const intent = { ...input.intent, offerings: offeringsOf(provider) }
  const request = launchRequestOf({ config: provider, owner, setup, intent })
  problems.push(...merged.problems, ...rendered.problems, ...request.problems)
  if (rendered.script === undefined) return { dialable, problems }
  const packed = await packUserData(rendered.script, setup)
  problems.push(...packed.problems)
  if (!packed.userData || !dialable || problems.some(isError)) return { dialable, problems }
  return { prepared: { ...dialable, userData: packed.userData, request }, dialable, problems }
}
