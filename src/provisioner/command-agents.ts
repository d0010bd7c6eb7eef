// Agents of this program beside a Determined master: they join it, are given its jobs, and fail every one, because
// Determined's jobs are containers and these agents run commands only. And Determined's agents with several masters.
import type { AgentFacts, ProvidedPool } from '../agent-setup/index.ts'
import { defaultAgentImage, isDeterminedImage, listOf, type MasterConfig } from '../config/index.ts'
import { type Problem, problem } from '../problems/index.ts'

/** @param ownAgent the command that starts this program as an agent */
export function commandAgentProblems(
  { demand, locate, resource_pools }: Pick<MasterConfig, 'demand' | 'locate' | 'resource_pools'>,
  pool: ProvidedPool,
  { command }: Pick<AgentFacts, 'command'>,
  ownAgent: readonly string[],
): Problem[] {
  const { pool_name, provider } = pool
  const { agent_docker_image: image, agent_runtime: runtime } = provider
  if (demand.type !== 'determined' || provider.allow_command_agents) return []
  // A template of one's own may start any agent.
  if (provider.agent_setup_template) return []
  const isProcess = runtime === 'process'
  const isOurs = isProcess ? startsWith(command, ownAgent) : isOwnImage(image)
  if (!isOurs) return []
  const agent = isProcess ? 'an agent of this program' : `agent_docker_image ${image}`
  const key = isProcess ? 'type' : 'agent_docker_image'
  const remedy = isProcess
    ? "Use a pool of a cloud, or an agent_setup_template that starts Determined's agent; or set allow_command_agents: true."
    : `Write agent_docker_image: ${defaultAgentImage}, with the master's version; or set allow_command_agents: true.`
  return [
    problem(
      'DETERMINED_COMMAND_AGENT',
      `pool ${pool_name}: ${agent} runs commands, not containers, and would fail the jobs of the Determined master`,
      { remedy, where: locate(`resource_pools.${resource_pools.indexOf(pool)}.provider.${key}`) },
    ),
  ]
}

/** Only the built-in agent dials several masters; Determined's would know the first alone. */
export function severalMastersProblems(
  { locate, resource_pools }: Pick<MasterConfig, 'locate' | 'resource_pools'>,
  pool: ProvidedPool,
): Problem[] {
  const { pool_name, provider } = pool
  const { agent_docker_image: image, agent_runtime: runtime, master_url } = provider
  const count = listOf(master_url).length
  // A template of one's own may start any agent.
  if (count < 2 || runtime !== 'docker' || provider.agent_setup_template || !isDeterminedImage(image))
    return []
  return [
    problem(
      'MASTER_URL_ONE_HOST',
      `pool ${pool_name}: master_url has ${count} addresses, but agent_docker_image ${image} is Determined's agent, which knows one`,
      { where: locate(`resource_pools.${resource_pools.indexOf(pool)}.provider.master_url`) },
    ),
  ]
}

function startsWith(command: readonly string[] | undefined, ownAgent: readonly string[]): boolean {
  return command !== undefined && ownAgent.every((word, index) => command[index] === word)
}

/** The names that images/agent/README.md builds it under, in any registry and with any tag. */
function isOwnImage(image: string): boolean {
  const name = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '')
  return /(^|\/)(provision-agent|dynamic-agent-provisioner[^/]*)$/.test(name)
}
