// The agent's configuration as it will be on the VM: what the user wrote, and what the trust plan demands.

import type { TrustMode, TrustPlan } from '../pki/trust-plan.ts'
import { type Problem, problem, type Where } from '../problems/problem.ts'
import { blockAt, checkAgentOptions } from './agent-options.ts'
import { type AgentConfig, agentPaths } from './setup.ts'

export interface MergeOptions {
  /** Where the user wrote it. */
  where?: Where
  /** The master lets in only agents with a client certificate (`require_authentication`). */
  requireAuthentication?: boolean
}

export interface MergedAgentConfig {
  config: AgentConfig
  problems: Problem[]
  /** Paths on the agent, when it shows a client certificate. */
  clientCertificate?: { cert: string; key: string }
}

type Tls = Record<string, unknown>

const key = 'agent_config_file_contents'

/** Set by the startup script in the agent's environment, which wins over agent.yaml. With what sets them here. */
const setByScript: Record<string, string> = {
  master_host: 'master_url',
  master_port: 'master_url',
  agent_id: 'the id of the VM',
  resource_pool: 'pool_name',
  slot_type: "the instance type's slots and cpu_slots_allowed",
  agent_reconnect_attempts: 'agent_reconnect_attempts of the pool',
  agent_reconnect_backoff: 'agent_reconnect_backoff of the pool',
  config_file: 'the startup script',
}

/** Never throws: what the user wrote is kept as far as possible, and everything wrong with it is in the problems. */
export function mergeAgentConfig(
  user: Record<string, unknown>,
  plan: TrustPlan,
  { where, requireAuthentication = false }: MergeOptions = {},
): MergedAgentConfig {
  const own = blockAt(user, 'security', 'tls')
  const tls = { ...own, ...demandedBy(plan) }
  const config = { ...user, security: { ...blockAt(user, 'security'), tls } }
  const problems = [
    ...conflicts(own, plan).map((message) => problem('AGENT_CONFIG_CONFLICT', message, { where })),
    // What the plan sets is right by itself; faults of the user's values would hide behind it.
    ...checkAgentOptions(user).map(({ message, remedy, path }) =>
      problem('AGENT_CONFIG_INVALID', `${key}: ${message}`, { remedy, where, details: { path } }),
    ),
    ...withoutEffect(user).map((message) => problem('AGENT_CONFIG_NO_EFFECT', message, { where })),
  ]
  const userAnchors = text(own['master_cert'])
  if (plan.mode === 'system' && userAnchors)
    problems.push(
      problem('AGENT_CONFIG_UNVERIFIED', `agents trust ${userAnchors} of their own disk (${key})`, { where }),
    )
  const clientCertificate = clientCertificateOf(own)
  if (requireAuthentication && plan.mode !== 'off' && !clientCertificate)
    problems.push(
      problem('CLIENT_CERT_REQUIRED', `require_authentication is on and ${key} has no client certificate`, {
        where,
      }),
    )
  return { config, problems, clientCertificate }
}

function demandedBy(plan: TrustPlan): Tls {
  if (plan.mode === 'off') return { enabled: false }
  return {
    enabled: true,
    ...(plan.mode === 'embed' && { master_cert: agentPaths.certificate }),
    ...(plan.mode === 'skip_verify' && { skip_verify: true }),
    ...(plan.certificateName && { master_cert_name: plan.certificateName }),
  }
}

/** What the user wrote against what was decided; a setting that is silently overruled is a surprise later. */
function conflicts(own: Tls, plan: TrustPlan): string[] {
  const found: string[] = []
  const against = (setting: string, reason: string) =>
    found.push(`${key} sets \`security.tls.${setting}\`, but ${reason}`)
  const mode = `trust mode is ${plan.mode} (${plan.modeReason})`
  const wanted: Record<TrustMode, Tls> = {
    embed: { enabled: true, skip_verify: false },
    system: { enabled: true, skip_verify: false },
    skip_verify: { enabled: true, skip_verify: true },
    off: { enabled: false },
  }
  for (const [setting, value] of Object.entries(wanted[plan.mode]))
    if (typeof own[setting] === 'boolean' && own[setting] !== value)
      against(`${setting}: ${own[setting]}`, mode)

  const anchors = text(own['master_cert'])
  if (anchors && plan.mode === 'embed' && anchors !== agentPaths.certificate)
    against(`master_cert: ${anchors}`, `${mode} and agents get the chain at ${agentPaths.certificate}`)
  if (anchors && plan.mode === 'skip_verify')
    against(`master_cert: ${anchors}`, `${mode}; agents refuse both together`)

  const name = text(own['master_cert_name'])
  const verified = plan.certificateName ?? 'the dialled host'
  if (name && plan.mode !== 'off' && name.toLowerCase() !== verified.toLowerCase())
    against(`master_cert_name: ${name}`, `the name to verify is ${verified} (${plan.certificateNameReason})`)
  return found
}

function withoutEffect(user: Record<string, unknown>): string[] {
  const overruled = Object.entries(setByScript)
    .filter(([setting]) => isSet(user[setting]))
    .map(([setting, source]) => `\`${setting}\` in ${key} has no effect: ${source} decides`)
  if (!isSet(user['fluent'])) return overruled
  return [...overruled, `\`fluent\` in ${key} has no effect: agents ship logs themselves since 0.24.1`]
}

function clientCertificateOf(own: Tls): MergedAgentConfig['clientCertificate'] {
  const cert = text(own['client_cert'])
  const privateKey = text(own['client_key'])
  return cert && privateKey ? { cert, key: privateKey } : undefined
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}
