// The options an agent runs with, after flags, variables, agent.yaml and defaults.
import type { MasterAddress } from '../../pki/master-address.ts'

export type AgentSlotType = 'gpu' | 'cuda' | 'rocm' | 'cpu' | 'auto' | 'none'

export interface AgentTls {
  enabled: boolean
  skipVerify: boolean
  /** Path of the only certificates to trust; '' for the well-known CAs. */
  masterCert: string
  /** '' for the dialled host. */
  masterCertName: string
  /** Paths; used only when both are set. */
  clientCert: string
  clientKey: string
}

export interface AgentOptions {
  /** Without brackets when it is an IPv6 address. */
  masterHost: string
  masterPort: number
  agentId: string
  resourcePool: string
  /** Where the agent's tasks find the master. */
  containerMasterHost: string
  containerMasterPort: number
  slotType: AgentSlotType
  /** As `nvidia-smi --id` takes it; '' for all. */
  visibleGpus: string
  /** More than 0: this many made-up devices instead of real ones. */
  artificialSlots: number
  tls: AgentTls
  reconnectAttempts: number
  /** Seconds. */
  reconnectBackoff: number
  /** A command and its arguments; empty for none. */
  onConnectionLost: string[]
  /** For tasks. */
  proxies: { http: string; https: string; ftp: string; no: string }
  /** A word of logrus: panic, fatal, error, warn, warning, info, debug, trace. */
  logLevel: string
}

export function masterOf({ masterHost, masterPort, tls }: AgentOptions): MasterAddress {
  return { scheme: tls.enabled ? 'https' : 'http', host: masterHost, port: masterPort }
}
