// The complete file: from YAML values to the configuration, in both forms.
import { resolve } from 'node:path'
import type * as z from 'zod/mini'
import { isError, type Problem, problem } from '../problems/index.ts'
import { agentsCaOf, checkAgentsCa, checkClientCa } from './join.ts'
import type { DemandConfig, ListenConfig, MasterConfig, PoolConfig, TlsFiles } from './master-config.ts'
import { checkPlaceholders } from './placeholders.ts'
import { checkAgents, outsideMaster, poolsOf, resourceManagerOf } from './pools.ts'
import type { ProviderBlock } from './provider.ts'
import {
  type Block,
  given,
  inner,
  isAbsent,
  isMapping,
  note,
  type Partially,
  readBlock,
  sure,
  wholeOf,
} from './read-block.ts'
import { isTlsKnown, type ReadableConfig, withDefaults } from './readable.ts'
import { shown } from './report.ts'
import { masterFile } from './schema.ts'
import { checkState, defaultStateDir, stateOf } from './state.ts'
import type { YamlPath } from './yaml.ts'

/** Environment variables that override the file, as in Determined (determined-master/init.go). */
export interface Overrides {
  port?: number
  /** Absolute. */
  cert?: string
  key?: string
}

type Keys = z.output<typeof masterFile>
type Files = Partially<NonNullable<ListenKeys['tls']>>
type ListenKeys = NonNullable<Keys['listen']>

/** `config` only if no error was noted, here or before; otherwise what can still be judged. */
export function readMaster(
  block: Block,
  file: string,
  overrides: Overrides,
  providers: readonly ProviderBlock[],
): { config?: MasterConfig; readable?: ReadableConfig } {
  const keys = readBlock(masterFile, block, {
    skip: ['resource_pools', 'provisioner'],
    elsewhere: (key, inside) => outsideMaster(key, inside, providers),
  })
  const tls = tlsOf(block, keys.security?.tls, overrides)
  const port = overrides.port ?? (keys.port || (tls ? 8443 : 8080))
  checkListenFiles(block, keys.listen)
  checkListen(block, { listen: keys.listen, port, hasTls: tls !== undefined, demandType: keys.demand?.type })
  checkDemand(block, keys.demand)
  checkState(block, keys.state, keys.state_dir, (path) => pathOf(block, path))
  const pools = poolsOf(block, providers)
  const resource_manager = resourceManagerOf(block, keys.resource_manager, pools, tls !== undefined)
  checkPlaceholders(block)
  const joins = pools.map(({ pool, hasProvider }) => (hasProvider ? pool?.provider?.join.proof : 'none'))
  const isRequired = joins.includes('required')
  checkAgentsCa(block, keys.agents_ca, joins.includes(undefined) ? undefined : isRequired)
  checkClientCa(block, {
    demands: resource_manager.require_authentication && tls !== undefined,
    clientCa: resource_manager.client_ca,
    // The built-in master knows the agents' CA.
    isOwn: keys.demand?.type === 'built-in' && isRequired,
  })
  checkAgents(pools, keys.demand?.type)
  const configOf = (whole: Keys, resource_pools: PoolConfig[]): MasterConfig => ({
    file,
    port,
    security: { ...(tls && { tls }) },
    host: whole.host,
    cluster_id: whole.cluster_id,
    cluster_name: whole.cluster_name,
    state_dir: pathOf(block, whole.state_dir ?? whole.state.path ?? defaultStateDir),
    state: stateOf(whole.state, (path) => pathOf(block, path)),
    listen: whole.listen && listenOf(block, whole.listen),
    agents_ca: agentsCaOf(whole.agents_ca, (path) => pathOf(block, path)),
    demand: demandOf(block, whole.demand),
    orphans: whole.orphans,
    metrics: whole.metrics,
    prices: whole.prices,
    resource_manager,
    resource_pools,
    locate: (path) => ({ ...block.reading.yaml.locate(writtenPath(path, block)), path }),
  })
  const { problems } = block.reading
  if (!problems.some(isError)) {
    const config = configOf(
      wholeOf(masterFile, keys),
      pools.map(({ pool }) => sure(pool)),
    )
    return { config }
  }
  if (!isTlsKnown(problems)) return {}
  const readable = pools.map((one) => one.readable())
  const config = configOf(
    withDefaults(masterFile, block, keys),
    readable.map(({ pool }) => pool),
  )
  const those = (how: string) => new Set(readable.filter(({ read }) => read === how).map(({ pool }) => pool))
  return { readable: { config, partlyRead: those('partly'), unread: those('nothing') } }
}

/** Settings of the one pool of the old form are in its provisioner block. */
function writtenPath(path: string, { raw }: Block): YamlPath {
  const isOldForm = !isAbsent(raw['provisioner'])
  const written = isOldForm ? path.replace(/^resource_pools\.0\.provider\b/, 'provisioner') : path
  return written.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}

function pathOf({ reading }: Block, path: string): string {
  return resolve(reading.folder, path)
}

/** The key is optional: only a process that serves needs it. The certificate is required. */
function tlsOf(block: Block, files: Files | undefined, overrides: Overrides): TlsFiles | undefined {
  const cert = overrides.cert ?? (files?.cert && pathOf(block, files.cert))
  const key = overrides.key ?? (files?.key && pathOf(block, files.key))
  const security = inner(block, 'security')
  const written = security && inner(security, 'tls')
  if (key && !cert && !(written && given(written, 'cert')))
    note(block, 'CONFIG_NEEDS_KEY', 'security.tls.key is set without security.tls.cert', {
      key: ['security', 'tls', 'key'],
      part: 'key',
      remedy: 'Set security.tls.cert to the certificate chain.',
    })
  else if (!cert) checkEmptyTls(block, written)
  return cert ? { cert, ...(key && { key }) } : undefined
}

/** `tls:` or `cert:` with nothing behind it is a line that was not finished, and would switch TLS off. `cert: ""` does so. */
function checkEmptyTls(block: Block, tls: Block | undefined): void {
  const { security } = block.raw
  const path =
    isMapping(security) && security['tls'] === null
      ? ['security', 'tls']
      : tls?.raw['cert'] === null
        ? ['security', 'tls', 'cert']
        : undefined
  if (!path) return
  note(block, 'CONFIG_WRONG_TYPE', `${path.join('.')} is empty: agents would join in plain text`, {
    key: path,
    part: 'key',
    remedy:
      'Write `cert: FILE`, the certificate chain of the master, below `security: tls:`; without TLS, remove the line.',
  })
}

function checkListenFiles(block: Block, listen: Partially<ListenKeys> | undefined): void {
  const { cert, key } = listen?.tls ?? {}
  if (!cert === !key) return
  const [has, lacks] = cert ? ['cert', 'key'] : ['key', 'cert']
  note(block, 'CONFIG_NEEDS_KEY', `listen.tls.${has} needs listen.tls.${lacks}`, {
    key: ['listen', 'tls', has!],
    part: 'key',
  })
}

function listenOf(block: Block, listen: ListenKeys): ListenConfig {
  const { cert, key } = listen.tls ?? {}
  const tls = cert ? { cert: pathOf(block, cert), ...(key && { key: pathOf(block, key) }) } : undefined
  return { ...listen, tls, client_ca: listen.client_ca && pathOf(block, listen.client_ca) }
}

function demandOf(block: Block, demand: DemandConfig): DemandConfig {
  const file = (path: string | undefined) => path && pathOf(block, path)
  return {
    ...demand,
    password_file: file(demand.password_file),
    token_file: file(demand.token_file),
    ca_file: file(demand.ca_file),
  }
}

// Rules between the provisioner's own top-level keys: the source of demand, and the listener.

const determinedOnly = [
  'url',
  'user',
  'password_file',
  'token_file',
  'ca_file',
  'master_cert_name',
  'placeholder_agent',
]

export function checkDemand(block: Block, demand: Partially<DemandConfig> | undefined): void {
  const written = inner(block, 'demand')
  if (!written || !demand?.type) return
  if (demand.type !== 'built-in' && given(block, 'host'))
    note(block, 'CONFIG_CONFLICT', `host is for the built-in master, but demand.type is "${demand.type}"`, {
      key: 'host',
      part: 'key',
      remedy: 'Remove host; the listener of `listen` has `listen.address`.',
    })
  if (demand.type !== 'determined') {
    for (const key of determinedOnly.filter((name) => given(written, name)))
      note(
        written,
        'CONFIG_CONFLICT',
        `demand.${key} is for a Determined master, but demand.type is "${demand.type}"`,
        {
          key,
          part: 'key',
          remedy: 'Write `type: determined`, or remove the key.',
        },
      )
    return
  }
  if (!given(written, 'user') !== !given(written, 'password_file')) {
    const [has, lacks] = given(written, 'user') ? ['user', 'password_file'] : ['password_file', 'user']
    note(written, 'CONFIG_NEEDS_KEY', `demand.${has} needs demand.${lacks}`, { key: has!, part: 'key' })
  }
  if (given(written, 'token_file') && given(written, 'user'))
    note(written, 'CONFIG_CONFLICT', 'demand.token_file and demand.user cannot be combined', {
      key: 'token_file',
      part: 'key',
    })
  if (!['user', 'password_file', 'token_file'].some((key) => given(written, key)))
    note(written, 'CONFIG_NEEDS_KEY', 'a Determined master needs a login', {
      key: 'type',
      remedy: 'Set demand.user and demand.password_file, or demand.token_file.',
    })
}

interface Surroundings {
  listen: Partially<ListenKeys> | undefined
  /** The master's. */
  port: number
  hasTls: boolean
  demandType: DemandConfig['type'] | undefined
}

export function checkListen(block: Block, { listen, port, hasTls, demandType }: Surroundings): void {
  const written = inner(block, 'listen')
  if (!written || !listen) return
  if (!given(written, 'tls') && !hasTls)
    note(block, 'CONFIG_NEEDS_KEY', 'listen needs a certificate: listen.tls or security.tls', {
      key: 'listen',
      part: 'key',
      remedy: 'Set listen.tls.cert and listen.tls.key; `provision certs` makes a development pair.',
    })
  if (listen.port === port && demandType === 'built-in')
    note(block, 'CONFIG_CONFLICT', `listen.port and the master's port are both ${port}`, {
      key: given(written, 'port') ? ['listen', 'port'] : 'port',
      remedy: "Choose another port, or remove listen: the built-in master's listener serves both.",
    })
}

// Environment variables that override the file, as in Determined (determined-master/init.go).

/** Empty variables count as unset. Relative paths are relative to the working directory, not to the file. */
export function overridesOf(env: Record<string, string | undefined>): Overrides & { problems: Problem[] } {
  const cert = env['DET_SECURITY_TLS_CERT']
  const key = env['DET_SECURITY_TLS_KEY']
  const port = env['DET_PORT']
  const files = { ...(cert && { cert: resolve(cert) }), ...(key && { key: resolve(key) }) }
  if (!port) return { ...files, problems: [] }
  const number = /^\d{1,5}$/.test(port) ? Number(port) : Number.NaN
  if (number <= 65_535) return { ...files, ...(number > 0 && { port: number }), problems: [] }
  const fault = problem('CONFIG_ENVIRONMENT', `DET_PORT must be a port number, but is ${shown(port)}`, {
    where: { file: 'DET_PORT' },
  })
  return { ...files, problems: [fault] }
}
