// The schema of master.yaml. Keys that only the master uses are listed and not read.
import * as z from 'zod/mini'
import {
  block,
  choice,
  count,
  documented,
  dollars,
  duration,
  durationOrNever,
  flag,
  foreign,
  foreignKeys,
  key,
  keyOr,
  kinds,
  list,
  looseBlock,
  name,
  needed,
  oldKey,
  port,
  shaped,
  text,
} from './fields.ts'
import { agentsCaKeys } from './join.ts'
import { defaultStateDir, stateKeys } from './state.ts'

/** Read by provider.ts, each type with its own schema. */
const anyProvider = z.record(z.string(), z.unknown())

const tlsFiles = {
  cert: key(name, 'Certificate chain (PEM), server certificate first.'),
  key: key(text, 'Private key of the certificate (PEM). Only a process that serves with it reads it.'),
}

export const poolBlock = z
  .looseObject({
    pool_name: needed(name, 'Name of the pool; unique.'),
    description: keyOr(text, '', 'Free-text description.'),
    provider: documented(z.optional(anyProvider), {
      description:
        'How instances of this pool are launched. Without it, the provisioner launches none for this pool.',
    }),
    agents: key(
      choice('known', 'any'),
      'Which agents may join the built-in master and run jobs: those of instances of this pool, or every agent that reaches the master.',
      '`known` with a provider; without one, `any` must be set',
    ),
    max_aux_containers_per_agent: keyOr(count(0), 100, 'Auxiliary (zero-slot) containers on one agent.'),
    max_cpu_containers_per_agent: oldKey(
      count(-1),
      'Old name of `max_aux_containers_per_agent`; -1 means not set.',
    ),
    agent_reconnect_wait: keyOr(
      duration,
      '25s',
      'How long the master waits for an agent that lost its connection.',
    ),
    agent_reattach_enabled: oldKey(z.unknown(), 'Accepted and ignored, as in Determined.'),
    scheduler: foreign,
    task_container_defaults: foreign,
    kubernetes_namespace: foreign,
  })
  .register(kinds, { noun: 'a pool' })

/** Ways to get demand that a file may name. */
export const demandTypes = ['built-in', 'determined', 'push'] as const

const demandKeys = {
  type: keyOr(
    choice(...demandTypes),
    'built-in',
    "Source of demand: the built-in master, a Determined master's REST API, or a program that pushes it.",
  ),
  url: key(
    shaped(
      /^https?:\/\/[^\s/@]+\/?$/i,
      'a URL such as "https://master.example.com:8443"',
      'Write only scheme, host and port; put the password into password_file.',
    ),
    'The Determined master.',
    'the master of this file',
  ),
  user: key(name, 'User for the Determined master; with `password_file`.'),
  password_file: key(name, "File with that user's password."),
  token_file: key(name, 'File with an access token, instead of user and password.'),
  ca_file: key(
    name,
    'CA certificates (PEM) of the server at that URL.',
    'the chain in `security.tls.cert`, otherwise the well-known CAs',
  ),
  master_cert_name: key(
    name,
    'Certificate name to verify instead of the host.',
    'the host of the URL, or a name of `security.tls.cert` if that does not cover it',
  ),
  placeholder_agent: keyOr(
    z
      .union([z.literal('auto'), flag])
      .register(kinds, { noun: 'auto, true or false', remedy: 'Write auto, true or false, without quotes.' }),
    'auto',
    'Register disabled agents at the Determined master, as many as `max_instances`, so that it accepts jobs while no instance runs. `auto`: for pools with `min_instances: 0`.',
  ),
}

const orphanKeys = {
  terminate_after: keyOr(
    durationOrNever,
    '1h',
    'Instances whose pool was removed from the file, or moved, are terminated once they are idle and this period has passed since the start; `never`: only by `provision terminate`.',
  ),
  terminate_unknown: keyOr(flag, false, 'Also terminate those unknown to the master: they may be busy.'),
}

const metricsKeys = {
  access: keyOr(
    choice('token', 'open'),
    'token',
    'Who may read `/metrics` over the network: clients with the token, or everybody.',
  ),
}

const listenKeys = {
  address: keyOr(name, '0.0.0.0', 'Address to listen on.'),
  port: keyOr(port, 8444, 'Port to listen on.'),
  tls: key(z.strictObject(tlsFiles), 'Certificate and key of this listener.', 'those of `security.tls`'),
  client_ca: key(name, 'CA certificates (PEM): a client with a certificate of one of them needs no token.'),
}

const resourceManagerKeys = {
  type: keyOr(name, 'agent', 'Type of the resource manager; only `agent` is supported.'),
  default_aux_resource_pool: key(text, 'Default pool of jobs without slots.', '`default`'),
  default_compute_resource_pool: key(text, 'Default pool of jobs with slots.', '`default`'),
  default_cpu_resource_pool: oldKey(text, 'Old name of `default_aux_resource_pool`.'),
  default_gpu_resource_pool: oldKey(text, 'Old name of `default_compute_resource_pool`.'),
  no_default_resource_pools: keyOr(flag, false, 'Jobs must name their pool.'),
  require_authentication: keyOr(flag, false, 'Agents must present a client certificate.'),
  client_ca: key(name, 'CA certificates (PEM) of those client certificates.'),
  cluster_name: foreign,
  name: foreign,
  metadata: foreign,
  scheduler: foreign,
}

/** Values that are valid as a tag on EC2 and as a label on Compute Engine. */
export const clusterIdPattern = /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/

export const masterFile = z
  .looseObject({
    port: key(
      count(0, 65_535),
      "The master's port; 0 means the default.",
      '`8443` with `security.tls.cert`, otherwise `8080`',
    ),
    host: key(
      name,
      'Address that the built-in master listens on: an IP address or a name of this machine. `0.0.0.0` is every IPv4 address, `::` every address.',
      '`127.0.0.1` if every pool is of type `local`, otherwise `0.0.0.0`',
    ),
    security: looseBlock(
      {
        tls: block(tlsFiles, "The master's certificate."),
        default_task: foreign,
        ssh: foreign,
        authz: foreign,
        initial_user_password: foreign,
      },
      'Security of the master; the provisioner reads `tls`.',
    ),
    cluster_id: key(
      shaped(
        clusterIdPattern,
        '1 to 63 lower-case letters, digits, "-" and "_"',
        'It becomes a tag or label of each instance: use lower case, and start and end with a letter or digit.',
      ),
      'Id that tags the instances of this cluster.',
      "the one stored in `state`, otherwise the master's; without a pool in a cloud, otherwise a new UUID, stored in `state`",
    ),
    cluster_name: keyOr(text, '', 'Display name of the cluster.'),
    state_dir: key(
      name,
      'Folder of the control socket, the lock, the token and local instances; with `state: {type: folder}` also of all that is in `state`. Relative to this file.',
      `\`state.path\`, otherwise \`${defaultStateDir}\``,
    ),
    state: block(stateKeys, 'What outlives the process, and where it is kept.'),
    listen: key(
      z.strictObject(listenKeys),
      "The provisioner's own listener, for pushed demand and the remote CLI.",
      'none',
    ),
    demand: block(demandKeys, 'Source of demand.'),
    agents_ca: block(agentsCaKeys, 'The CA of the client certificates of instances, for pools with `join`.'),
    orphans: block(orphanKeys, 'Instances of this cluster that belong to no configured pool.'),
    metrics: block(metricsKeys, 'Metrics for Prometheus.'),
    prices: keyOr(z.record(name, dollars), {}, 'Dollars per hour by instance type.'),
    resource_manager: looseBlock(resourceManagerKeys, 'The resource manager (new form).'),
    resource_pools: key(
      z.array(poolBlock).register(kinds, list('pools')),
      'The pools (new form).',
      'one pool `default` without provider',
    ),
    provisioner: documented(z.optional(anyProvider), {
      description:
        'The provider of the one pool `default` (old form, with `provider` for `type`). Cannot be combined with `resource_manager` or `resource_pools`.',
      deprecated: true,
    }),
    scheduler: foreign,
    // All other keys of Determined's master (master/internal/config/config.go).
    ...foreignKeys(
      'config_file',
      'log',
      'db',
      'tensorboard_timeout',
      'notebook_timeout',
      'checkpoint_storage',
      'task_container_defaults',
      'root',
      'telemetry',
      'enable_cors',
      'launch_error',
      'logging',
      'retention_policy',
      'observability',
      'cache',
      'webhooks',
      'feature_switches',
      'reserved_ports',
      'additional_resource_managers',
      '__internal',
      'scim',
      'saml',
      'oidc',
      'det_cloud',
      'integrations',
      'ui_customization',
    ),
  })
  .register(kinds, { noun: 'the top level' })
