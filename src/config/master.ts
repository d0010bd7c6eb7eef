// The whole file: from YAML values to the configuration, in both forms.
import { resolve } from 'node:path'
import type { DemandConfig, ListenConfig, MasterConfig, PoolConfig, TlsFiles } from './master-config.ts'
import { checkDemand, checkListen } from './master-rules.ts'
import { poolsOf } from './pools.ts'
import { type Partially, readBlock } from './read-block.ts'
import { type Block, given, inner, note } from './reading.ts'
import { resourceManagerOf } from './resource-manager.ts'
import { masterFile } from './schema.ts'

/** What environment variables say instead of the file (origin: determined-master/init.go). */
export interface Overrides {
  port?: number
  /** Absolute. */
  cert?: string
  key?: string
}

type Files = Partially<{ cert?: string; key?: string }>

/** Complete only if no error was noted. */
export function readMaster(block: Block, file: string, overrides: Overrides): Partial<MasterConfig> {
  const keys = readBlock(masterFile, block, { skip: ['resource_pools', 'provisioner'] })
  const tls = tlsOf(block, keys.security?.tls, overrides)
  const port = overrides.port ?? (keys.port || (tls ? 8443 : 8080))
  const listen = listenOf(block, keys.listen)
  checkListen(block, { listen, port, hasTls: tls !== undefined, demandType: keys.demand?.type })
  checkDemand(block, keys.demand)
  const pools = poolsOf(block)
  return {
    file,
    port,
    security: { ...(tls && { tls }) },
    cluster_id: keys.cluster_id,
    cluster_name: keys.cluster_name,
    state_dir: keys.state_dir && pathOf(block, keys.state_dir),
    listen: listen as ListenConfig | undefined,
    demand: demandOf(block, keys.demand),
    prices: keys.prices as Record<string, number> | undefined,
    resource_manager: resourceManagerOf(block, keys.resource_manager, pools, tls !== undefined),
    resource_pools: pools as PoolConfig[],
  }
}

function pathOf({ reading }: Block, path: string): string {
  return resolve(reading.folder, path)
}

/** The key may be missing: only a process that serves needs it. The certificate may not. */
function tlsOf(block: Block, files: Files | undefined, overrides: Overrides): TlsFiles | undefined {
  const cert = overrides.cert ?? (files?.cert && pathOf(block, files.cert))
  const key = overrides.key ?? (files?.key && pathOf(block, files.key))
  const security = inner(block, 'security')
  const written = security && inner(security, 'tls')
  if (key && !cert && !(written && given(written, 'cert')))
    note(block, 'CONFIG_NEEDS_KEY', 'security.tls.key is set without security.tls.cert', {
      key: ['security', 'tls', 'key'],
      part: 'key',
      remedy: 'Name the certificate chain in security.tls.cert.',
    })
  return cert ? { cert, ...(key && { key }) } : undefined
}

function listenOf(
  block: Block,
  listen: Partially<{ address: string; port: number; tls?: Files; client_ca: string }> | undefined,
): Partially<ListenConfig> | undefined {
  if (!listen) return undefined
  const { cert, key } = listen.tls ?? {}
  if (!cert !== !key) {
    const [has, lacks] = cert ? ['cert', 'key'] : ['key', 'cert']
    note(block, 'CONFIG_NEEDS_KEY', `listen.tls.${has} needs listen.tls.${lacks}`, {
      key: ['listen', 'tls', has!],
      part: 'key',
    })
  }
  const tls = cert && { cert: pathOf(block, cert), ...(key && { key: pathOf(block, key) }) }
  const client_ca = listen.client_ca && pathOf(block, listen.client_ca)
  return { ...listen, tls: tls || undefined, client_ca }
}

function demandOf(block: Block, demand: Partially<DemandConfig> | undefined): DemandConfig {
  const file = (path: string | undefined) => path && pathOf(block, path)
  return {
    ...demand,
    password_file: file(demand?.password_file),
    token_file: file(demand?.token_file),
    ca_file: file(demand?.ca_file),
  } as DemandConfig
}
