// What an agent needs to join: trust plan, certificate name, agent configuration; template, script, bytes.
// Pure: the same setup gives the same bytes. Imports problems, platform, pki and config.
// Start here: setUpAgents() does all steps for one pool.
import { requiresProof } from '../config/index.ts'
import type { TrustPlan } from '../pki/index.ts'
import { isError, type Problem } from '../problems/index.ts'
import { mergeAgentConfig } from './agent-config.ts'
import { planJoin } from './join.ts'
import { packUserData, type UserData } from './pack.ts'
import { renderScript } from './render.ts'
import { type AgentFacts, type AgentSetup, agentSetupOf, type Machine, type UserTemplate } from './setup.ts'
import { type PoolTrustInput, placeOf, poolTrust } from './trust.ts'

export { blockAt, checkAgentOptions } from './agent-config.ts'
export { joinEndpointsOf } from './join.ts'
export { type UserData, unpackUserData } from './pack.ts'
export {
  type AgentConfig,
  type AgentFacts,
  type AgentSetup,
  type Machine,
  type MachineProof,
  mastersOf,
  type SlotType,
  type UserTemplate,
} from './setup.ts'
export { type FailureStage, failureStages, isFailureStage, lastStage, type Stage } from './stages.ts'
export { type ProvidedPool, placeOf, planTrust } from './trust.ts'

export interface AgentsInput extends PoolTrustInput {
  /** `agent_setup_template`, when the pool names one. */
  template?: UserTemplate
  /** The kind of machine of the pool's provider, and all kinds. */
  machine: Machine
  machines: readonly Machine[]
  facts: AgentFacts
}

export interface Agents {
  /** Enough to dial the master as an agent would. undefined when the trust settings or agent configuration are wrong. */
  setup?: AgentSetup
  /** As complete as possible, even when the trust settings or the agents' configuration are wrong. */
  draft: AgentSetup
  /** Agents present a client certificate from their machine image, which is not available here. */
  hasClientCertificate: boolean
  /** undefined when a problem is an error, or the certificate of the master is not usable. */
  userData?: UserData
  problems: Problem[]
}

/** In a draft whose trust plan is not known. */
const unknownTrust: TrustPlan = {
  mode: 'system',
  modeReason: 'not known',
  certificateNameReason: 'not known',
  chain: [],
}

/** For the agents of one pool: how they trust the master, the input of their script, the script, and its bytes. */
export async function setUpAgents(input: AgentsInput): Promise<Agents> {
  const { config, pool, template, machine, machines, facts } = input
  const { provider } = pool
  const trusted = poolTrust(input)
  const { master, otherMasters, trust: plan, problems } = trusted
  const joining = planJoin(input, trusted)
  problems.push(...joining.problems)
  // Errors in the trust settings must not hide those in everything else.
  const trust = plan ?? unknownTrust
  const merged = mergeAgentConfig(provider.agent_config_file_contents, plan, {
    locate: (setting) => placeOf(config, pool, `agent_config_file_contents${setting ? `.${setting}` : ''}`),
    requireAuthentication: config.resource_manager.require_authentication,
    joins: requiresProof(pool.provider),
  })
  const draft = agentSetupOf({
    pool,
    master,
    otherMasters,
    trust,
    join: joining.join,
    agentConfig: merged.config,
    machine,
    machines,
    facts,
  })
  const allowSecrets = provider.allow_secrets_in_user_data
  const { script, problems: faults } = await renderScript(draft, { template, allowSecrets })
  const packed = script === undefined ? undefined : await packUserData(script, draft)
  const located = faults.map((found) => withPlace(found, input))
  problems.push(...merged.problems, ...located, ...(packed?.problems ?? []))
  return {
    ...(plan && !(merged.problems.some(isError) || joining.problems.some(isError)) && { setup: draft }),
    draft,
    hasClientCertificate: merged.clientCertificate !== undefined,
    ...(plan && !problems.some(isError) && { userData: packed?.userData }),
    problems,
  }
}

/** A problem of a text of the setup knows the key of the provider that the text comes from. */
function withPlace(found: Problem, { config, pool }: AgentsInput): Problem {
  const key = found.details?.['key']
  if (found.where || typeof key !== 'string' || !(key.split('.')[0]! in pool.provider)) return found
  return { ...found, where: placeOf(config, pool, key) }
}
