// Everything known about a pool before anything is launched: address, trust, agent configuration, user data, request.
import { readFileSync } from 'node:fs'
import { masterAddressOf } from '../config/master-address.ts'
import type { AgentSetup } from '../model/agent-setup.ts'
import type { Intent, LaunchRequest } from '../model/launch.ts'
import type { MasterConfig, PoolConfig } from '../model/master-config.ts'
import type { Ownership } from '../model/ownership.ts'
import { isError, type Problem } from '../model/problem.ts'
import type { ProviderConfig } from '../model/provider-config.ts'
import type { TrustPlan } from '../model/trust-plan.ts'
import type { UserData } from '../model/user-data.ts'
import { mergeAgentConfig } from '../tls/agent-config.ts'
import { loadMaterial, type TlsMaterial } from '../tls/material.ts'
import { planTrust } from '../tls/trust.ts'
import { packUserData } from '../userdata/pack.ts'
import { renderScript } from '../userdata/render.ts'
import { agentSetupOf } from './agent-setup.ts'
import { launchRequestOf } from './launch-request.ts'

export interface ProvidedPool extends PoolConfig {
  provider: ProviderConfig
}

export interface PreparedPool {
  pool: ProvidedPool
  setup: AgentSetup
  userData: UserData
  request: LaunchRequest
}

export interface PrepareInput {
  config: MasterConfig
  pool: ProvidedPool
  /** What `security.tls.cert` holds; undefined when it is not configured. */
  material?: TlsMaterial
  owner: Ownership
  intent: Intent
  /** Milliseconds since the epoch. */
  now: number
  /** Dialled by agents instead of the configured host or alias. */
  masterHost?: string
  /** The agent's command line on this machine. */
  localAgent: string[]
}

/** Collects the problems of every step; a step whose input is missing is not taken. */
export async function preparePool(input: PrepareInput): Promise<{ prepared?: PreparedPool; problems: Problem[] }> {
  const problems: Problem[] = []
  const keep = <T extends { problems: Problem[] }>(result: T): T => {
    problems.push(...result.problems)
    return result
  }
  const trusted = keep(trustOf(input))
  if (!trusted.trust) return { problems }
  const { provider } = input.pool
  const agentConfig = keep(mergeAgentConfig(provider.agent_config_file_contents, trusted.trust)).config
  const setup = agentSetupOf({ ...input, provider, master: trusted.master, trust: trusted.trust, agentConfig })
  const template = templateOf(provider)
  const rendered = keep(await renderScript(setup, { template, allowSecrets: provider.allow_secrets_in_user_data }))
  if (rendered.script === undefined || problems.some(isError)) return { problems }
  const { userData } = keep(await packUserData(rendered.script, setup))
  const request = keep(launchRequestOf({ config: provider, owner: input.owner, setup, intent: input.intent }))
  if (!userData || problems.some(isError)) return { problems }
  return { prepared: { pool: input.pool, setup, userData, request }, problems }
}
