// What a template is given: the values of one pool's agents under the names of context-names.ts.

import { anchorsOf, type TrustPlan } from '../pki/trust-plan.ts'
import { ipVersion } from '../platform/ip-address.ts'
import { agentYaml, normalizeScript } from './script-text.ts'
import type { AgentSetup } from './setup.ts'

/** Numbers are text here: whatever a template prints is text. */
export interface TemplateContext {
  [name: string]: string | boolean | string[] | TemplateContext
}

export function contextOf(setup: AgentSetup): TemplateContext {
  const { cloud, runtime, docker } = setup
  return {
    pool: setup.poolName,
    master: {
      scheme: setup.master.scheme,
      // Agents join host and port with a colon, so an IPv6 address needs its brackets (origin: agent.go).
      host: bracketed(setup.master.host),
      port: String(setup.master.port),
    },
    cloud: { aws: cloud === 'aws', gcp: cloud === 'gcp', local: cloud === 'local' },
    runtime: { docker: runtime === 'docker', process: runtime === 'process' },
    tls: tlsContext(setup.trust, setup.master.host),
    agent: {
      config: agentYaml(setup.agentConfig),
      slotType: setup.slotType,
      reconnectAttempts: String(setup.reconnectAttempts),
      reconnectBackoff: String(setup.reconnectBackoffSeconds),
      command: setup.command,
    },
    docker: { ...docker, gpus: setup.slotType === 'cuda' },
    startupScript: normalizeScript(setup.startupScript),
    containerStartupScript: normalizeScript(setup.containerStartupScript),
    bootTimeout: String(setup.bootTimeoutSeconds),
    powerOff: setup.poweroffIfNeverJoined,
  }
}

function tlsContext(trust: TrustPlan, masterHost: string): TemplateContext {
  const name = trust.certificateName ?? masterHost
  return {
    enabled: trust.mode !== 'off',
    embed: trust.mode === 'embed',
    system: trust.mode === 'system',
    skipVerify: trust.mode === 'skip_verify',
    verify: trust.mode === 'embed' || trust.mode === 'system',
    chain: anchorsOf(trust),
    certificateName: trust.certificateName ?? '',
    name,
    urlName: bracketed(name),
    nameIsAddress: ipVersion(name) !== 0,
  }
}

function bracketed(host: string): string {
  return ipVersion(host) === 6 ? `[${host}]` : host
}
