// From the merged blocks of options to what the agent runs with: defaults, and the rules that need all of them.

import { blockAt } from '../../agent-setup/agent-options.ts'
import { isError, type Problem, problem } from '../../problems/problem.ts'
import type { AgentOptions, AgentSlotType } from './options.ts'

type Block = Record<string, unknown>

/** The origin's own (agent/internal/options, aproto/net.go). */
const defaults = { attempts: 5, backoff: 5, logLevel: 'trace' }

export function toOptions(
  merged: Block,
  env: Readonly<Record<string, string | undefined>>,
  hostname: string,
  problems: Problem[],
): { options?: AgentOptions; problems: Problem[] } {
  const tls = blockAt(merged, 'security', 'tls')
  const enabled = tls['enabled'] === true
  const masterHost = text(merged['master_host']).replace(/^\[(.*)\]$/, '$1')
  const masterPort = number(merged['master_port']) || (enabled ? 443 : 80)
  const options: AgentOptions = {
    masterHost,
    masterPort,
    agentId: text(merged['agent_id']) || hostname,
    resourcePool: text(merged['resource_pool']) || 'default',
    containerMasterHost: text(merged['container_master_host']) || masterHost,
    containerMasterPort: number(merged['container_master_port']) || masterPort,
    slotType: (text(merged['slot_type']) || 'auto') as AgentSlotType,
    visibleGpus: text(merged['visible_gpus'] ?? env['ROCR_VISIBLE_DEVICES'] ?? env['CUDA_VISIBLE_DEVICES']),
    artificialSlots: number(merged['artificial_slots']),
    tls: {
      enabled,
      skipVerify: tls['skip_verify'] === true,
      masterCert: text(tls['master_cert']),
      masterCertName: text(tls['master_cert_name']),
      clientCert: text(tls['client_cert']),
      clientKey: text(tls['client_key']),
    },
    reconnectAttempts: number(merged['agent_reconnect_attempts'], defaults.attempts),
    reconnectBackoff: number(merged['agent_reconnect_backoff'], defaults.backoff),
    onConnectionLost: (blockAt(merged, 'hooks')['on_connection_lost'] as string[] | undefined) ?? [],
    proxies: {
      http: text(merged['http_proxy']),
      https: text(merged['https_proxy']),
      ftp: text(merged['ftp_proxy']),
      no: text(merged['no_proxy']),
    },
    logLevel: merged['debug'] === true ? 'debug' : text(blockAt(merged, 'log')['level']) || defaults.logLevel,
  }
  problems.push(...faults(options, merged))
  return problems.some(isError) ? { problems } : { options, problems }
}

function faults(options: AgentOptions, merged: Block): Problem[] {
  const found: Problem[] = []
  const against = (message: string, remedy?: string) =>
    found.push(problem('AGENT_OPTION_INVALID', message, { remedy }))
  if (!options.masterHost)
    against('`master_host` is missing', 'Set it, or DET_MASTER_HOST, to the host of the master.')
  // 0 is not set, as everywhere in Go.
  for (const key of ['master_port', 'container_master_port'])
    if (number(merged[key]) < 0 || number(merged[key]) > 65_535)
      against(`${merged[key]} is no port (\`${key}\`)`)
  for (const key of ['artificial_slots', 'agent_reconnect_attempts', 'agent_reconnect_backoff'])
    if (number(merged[key]) < 0) against(`\`${key}\` must not be negative, it is ${merged[key]}`)
  if (merged['api_enabled'] === true)
    found.push(problem('AGENT_OPTION_UNUSED', '`api_enabled` is set, but this agent has no API of its own'))
  return found
}

function text(value: unknown): string {
  return value === undefined || value === null ? '' : String(value)
}

function number(value: unknown, otherwise = 0): number {
  return typeof value === 'number' ? value : otherwise
}
