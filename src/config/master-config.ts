// master.yaml after parsing, defaults and cross-field rules. Keys are the file's own; paths are absolute; periods are milliseconds.
import type * as z from 'zod/mini'
import type { Where } from '../problems/index.ts'
import type { AgentsCaConfig } from './join.ts'
import type { ProviderConfig } from './provider-keys.ts'
import type { masterFile, poolBlock } from './schema.ts'
import type { StateConfig } from './state.ts'

type Keys = z.output<typeof masterFile>
type PoolKeys = z.output<typeof poolBlock>
type ListenKeys = NonNullable<Keys['listen']>

export interface PoolConfig
  extends Pick<
    PoolKeys,
    'pool_name' | 'description' | 'max_aux_containers_per_agent' | 'agent_reconnect_wait'
  > {
  /** Which agents may join the built-in master and run jobs: those of instances of the pool, or every agent. */
  agents: NonNullable<PoolKeys['agents']>
  /** undefined: the provisioner launches no agents of this pool. */
  provider?: ProviderConfig
}

/** A certificate chain and, where this process serves with it, its key. */
export type TlsFiles = { cert: string } & Omit<NonNullable<ListenKeys['tls']>, 'cert'>

export type DemandConfig = Keys['demand']

export interface ListenConfig extends Omit<ListenKeys, 'tls'> {
  tls?: TlsFiles
}

export interface MasterConfig
  extends Pick<Keys, 'host' | 'cluster_id' | 'cluster_name' | 'demand' | 'orphans' | 'metrics' | 'prices'> {
  /** Path of the file as the user gave it. */
  file: string
  /** The master's port: the file's, else 8443 with TLS and 8080 without. */
  port: number
  security: { tls?: TlsFiles }
  /** Absolute: of the control socket, the lock and the token, and of the state if that is kept in a folder. */
  state_dir: string
  state: StateConfig
  listen?: ListenConfig
  agents_ca: AgentsCaConfig
  resource_manager: Pick<Keys['resource_manager'], 'require_authentication' | 'client_ca'> & {
    default_aux_resource_pool: string
    default_compute_resource_pool: string
  }
  resource_pools: PoolConfig[]
  /**
   * The line of a key, such as `security.tls.cert` or `resource_pools.0.provider.tls`; for a key that is not written, the
   * line of what contains it, if there is one. Problems with the value of a key get their location from here.
   */
  locate(path: string): Where
}
