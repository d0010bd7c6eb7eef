// Every text that enters user data, by the key a user would change: what the checks look at.
import type { AgentSetup } from './setup.ts'

export interface SetupText {
  /** Key in the provider block, with `.` between levels. */
  key: string
  text: string
}

export function textsOf(setup: AgentSetup): SetupText[] {
  const { docker } = setup
  return [
    { key: 'pool_name', text: setup.poolName },
    { key: 'master_url', text: setup.master.host },
    { key: 'master_cert_name', text: setup.trust.certificateName ?? '' },
    { key: 'agent_docker_image', text: docker.image },
    { key: 'agent_docker_network', text: docker.network },
    { key: 'agent_docker_runtime', text: docker.runtime },
    { key: 'log_group', text: docker.logOptions.join(' ') },
    { key: 'startup_script', text: setup.startupScript },
    { key: 'container_startup_script', text: setup.containerStartupScript },
    ...(setup.runtime === 'process' ? [{ key: 'agent_runtime', text: setup.command.join(' ') }] : []),
    ...leaves('agent_config_file_contents', setup.agentConfig),
  ]
}

function leaves(key: string, value: unknown): SetupText[] {
  if (typeof value === 'string') return [{ key, text: value }]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [
    // A secret may also hide in a name.
    { key, text: name },
    ...leaves(`${key}.${name}`, inner),
  ])
}
