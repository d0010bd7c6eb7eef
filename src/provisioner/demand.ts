// From `demand.type` to the source of demand. Whatever it opens beside that is in the same hands until it is closed.

import type { DemandConfig, MasterConfig } from '../config/master-config.ts'
import type { DemandSource } from '../demand/source.ts'
import type { AgentView } from '../http/fleet-rows.ts'
import type { TlsMaterial } from '../pki/credentials.ts'
import type { Clock, Handler, Logger } from '../platform/ports.ts'
import type { Problem } from '../problems/problem.ts'
import { openBuiltInDemand } from './built-in-demand.ts'
import { openDeterminedDemand } from './determined-demand.ts'
import { openPushDemand } from './push-demand.ts'
import type { Identity } from './state.ts'

export interface DemandContext {
  config: MasterConfig
  version: string
  env: Readonly<Record<string, string | undefined>>
  identity: Identity
  /** Of `security.tls`, with the key where this process serves with it. */
  material?: TlsMaterial
  /** For a master of ours: whether an agent of a pool with a provider is one of its VMs. */
  mayJoin: (pool: string, id: string) => boolean
  /** Orders and questions to us, for the listener of a master of ours. */
  control: Handler
  clock: Clock
  logger: Logger
}

/** A source and, where there is one, the master of ours behind it. */
export interface OpenedDemand {
  source: DemandSource
  /** What the master itself knows of agents; without it they are as demand shows them. */
  agents?: () => AgentView[]
  onAgent?: (listener: () => void) => () => void
  /** These VMs are gone: their agents are not waited for. */
  forget?: (ids: string[], reason: string) => void
  /** Serves a renewed certificate; the problem when it cannot be used. */
  renew?: (material: TlsMaterial) => Problem | undefined
  /** Requests about it, for the listener of ours. */
  handlers?: Handler[]
  /** Where a master of ours listens. */
  listener?: { address: string; port: number }
  close(): Promise<void>
}

type Opener = (context: DemandContext) => Promise<OpenedDemand>

/** One line for each way to get demand. */
const openers: Record<DemandConfig['type'], Opener> = {
  'built-in': openBuiltInDemand,
  determined: openDeterminedDemand,
  push: openPushDemand,
}

/** `demand` in place of what the configuration names is left open at the end. Throws a ProvisionError. */
export async function openDemand(context: DemandContext & { demand?: DemandSource }): Promise<OpenedDemand> {
  if (context.demand) return { source: context.demand, close: async () => {} }
  return openers[context.config.demand.type](context)
}
