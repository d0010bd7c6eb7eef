// The whole of master.yaml, as far as it is ours. Keys of the master that are none of ours are named and let through.
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

/** `state_dir` where the file does not set it. */
export const defaultStateDir = '.provision'

/** Read by provider.ts, each kind by its own schema. */
const anyProvider = z.record(z.string(), z.unknown())

const tlsFiles = {
  cert: key(name, "Certificate chain (PEM), the server's certificate first."),
  key: key(text, 'Its private key (PEM). Only a process that serves with it reads it.'),
}

export const poolBlock = z
  .looseObject({
    pool_name: needed(name, 'Its name; unique.'),
    description: keyOr(text, '', 'Words for people.'),
    provider: documented(z.optional(anyProvider), {
      description: 'How VMs of this pool are launched. Without it, its agents are not ours to launch.',
    }),
    agents: key(
      choice('known', 'any'),
      'Which agents may join the built-in master and are given work: those of instances of this pool, or every agent that reaches the master.',
      '`known` with a provider; without one `any` has to be written',
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
    agent_reattach_enabled: oldKey(z.unknown(), 'Accepted and ignored, as Determined does.'),
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
    "Where demand comes from: our own master, a Determined master's REST API, or a program that pushes it.",
  ),
  url: key(
    shaped(
      /^https?:\/\/[^\s/@]+\/?$/i,
      'a URL such as "https://master.example.com:8443"',
      'Write scheme, host and port only; the password belongs into password_file.',
    ),
    'The Determined master.',
    'the master of this file',
  ),
  user: key(name, 'User for the Determined master; with `password_file`.'),
  password_file: key(name, "File with that user's password."),
  token_file: key(name, 'File with an access token, instead of user and password.'),
  ca_file: key(
    name,
    'CA certificates (PEM) of whoever ends TLS at that URL.',
    'the chain in `security.tls.cert`, else the well-known CAs',
  ),
  master_cert_name: key(
    name,
    'Name to verify there in place of the host.',
    'the host of the URL, or a name of `security.tls.cert` when that does not cover it',
  ),
  placeholder_agent: keyOr(
    flag,
    false,
    'Experimental: keep a disabled agent with slots at the master, so that it accepts work while no VM runs.',
  ),
}

const orphanKeys = {
  terminate_after: keyOr(
    durationOrNever,
    '1h',
    'Instances of this provisioner whose pool left the file, or was moved, are terminated when they are known to be idle for so long after a start; `never`: only by `provision terminate`.',
  ),
  terminate_unknown: keyOr(
    flag,
    false,
    'Also terminate those of which the master knows nothing: they may be busy.',
  ),
}

const metricsKeys = {
  access: keyOr(
    choice('token', 'open'),
    'token',
    'Who may read `/metrics` over the network: who has the token, or everybody.',
  ),
}

const listenKeys = {
  address: keyOr(name, '0.0.0.0', 'Address to listen on.'),
  port: keyOr(port, 8444, 'Port to listen on.'),
  tls: key(z.strictObject(tlsFiles), 'Certificate and key of this listener.', 'those of `security.tls`'),
  client_ca: key(name, 'CA certificates (PEM): whoever shows a certificate of theirs needs no token.'),
}

const resourceManagerKeys = {
  type: keyOr(name, 'agent', 'Only `agent` has agents to launch.'),
  default_aux_resource_pool: key(text, 'Pool of work without slots.', '`default`'),
  default_compute_resource_pool: key(text, 'Pool of work with slots.', '`default`'),
  default_cpu_resource_pool: oldKey(text, 'Old name of `default_aux_resource_pool`.'),
  default_gpu_resource_pool: oldKey(text, 'Old name of `default_compute_resource_pool`.'),
  no_default_resource_pools: keyOr(flag, false, 'Work has to name its pool.'),
  require_authentication: keyOr(flag, false, 'Agents have to show a client certificate.'),
  client_ca: key(name, 'CA certificates (PEM) of those client certificates.'),
  cluster_name: foreign,
  name: foreign,
  metadata: foreign,
  scheduler: foreign,
}

/** Values that are a tag on EC2 and a label on Compute Engine as they are. */
export const clusterIdPattern = /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/

export const masterFile = z
  .looseObject({
    port: key(
      count(0, 65_535),
      "The master's port; 0 means the default.",
      '`8443` with `security.tls.cert`, else `8080`',
    ),
    security: looseBlock(
      {
        tls: block(tlsFiles, "The master's certificate."),
        default_task: foreign,
        ssh: foreign,
        authz: foreign,
        initial_user_password: foreign,
      },
      'Security of the master; ours is `tls`.',
    ),
    cluster_id: key(
      shaped(
        clusterIdPattern,
        '1 to 63 lower-case letters, digits, "-" and "_"',
        'It becomes a tag and a label of each VM: use lower case, begin and end with a letter or digit.',
      ),
      'Marks the VMs of this cluster as ours.',
      "the one kept in `state_dir`, else the master's; without a pool in a cloud, else a new UUID, kept in `state_dir`",
    ),
    cluster_name: keyOr(text, '', 'Name of the cluster, for people.'),
    state_dir: keyOr(
      name,
      defaultStateDir,
      'Folder of the journal, the lock and the control socket; relative to this file.',
    ),
    listen: key(
      z.strictObject(listenKeys),
      'A listener of our own, for pushed demand and the remote command line.',
      'none',
    ),
    demand: block(demandKeys, 'Where demand comes from.'),
    orphans: block(orphanKeys, 'Instances of this cluster that belong to no configured pool.'),
    metrics: block(metricsKeys, 'Metrics for Prometheus.'),
    prices: keyOr(z.record(name, dollars), {}, 'Dollars an hour by instance type.'),
    resource_manager: looseBlock(resourceManagerKeys, 'The resource manager (new form).'),
    resource_pools: key(
      z.array(poolBlock).register(kinds, list('pools')),
      'The pools (new form).',
      'one pool `default` without provider',
    ),
    provisioner: documented(z.optional(anyProvider), {
      description:
        'The provider of the one pool `default` (old form, with `provider` for `type`). Never together with `resource_manager` or `resource_pools`.',
      deprecated: true,
    }),
    scheduler: foreign,
    // Every other key the origin's master knows (origin: master/internal/config/config.go).
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
