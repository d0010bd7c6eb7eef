// Every key of a pool's configuration: what a change of it makes drifted, or why it makes nothing drifted.

import type { Instance } from '../../../src/planner/snapshot.ts'

export interface Key {
  /** The reason that instances show; undefined: none. */
  drifts?: string | readonly string[]
  /** Where there is none: why. */
  why?: string
  /** Keys of the provider before and after; merged over the base of its type. */
  before?: object
  after: object
  /** Keys of the top of the file, in both. */
  top?: object
  /** The instance, where it is not of the first offering. */
  instance?: Partial<Instance>
}

export type Keys = Readonly<Record<string, Key>>

const limit = 'limits how many instances there are'
const check = 'is about what is checked before a launch'
const replacing = 'decides how outdated instances are replaced'
const joining = 'acts only until the agent has joined'
const identity = 'is where the pool is: a pool that moves has other instances'

const listener = {
  listen: { port: 8444, tls: { cert: 'listener.crt', key: 'listener.key' } },
}
const required = { proof: 'required' }
const atListener = { proof: 'required', url: 'https://listener.test:8444' }

const common = {
  type: { why: identity, after: {} },
  master_url: { drifts: 'master_url', after: { master_url: 'https://master.test:9443' } },
  master_cert_name: { drifts: 'master_cert_name', after: { master_cert_name: 'also.test' } },
  startup_script: { drifts: 'startup_script', after: { startup_script: 'mount /data' } },
  container_startup_script: {
    drifts: 'container_startup_script',
    after: { container_startup_script: 'pip install extra' },
  },
  agent_fluent_image: { why: 'is ignored', after: { agent_fluent_image: 'fluent:1' } },
  agent_reconnect_attempts: { drifts: 'agent_reconnect_attempts', after: { agent_reconnect_attempts: 9 } },
  agent_reconnect_backoff: { drifts: 'agent_reconnect_backoff', after: { agent_reconnect_backoff: 9 } },
  agent_config_file_contents: {
    drifts: 'agent_config_file_contents',
    after: { agent_config_file_contents: { log: { level: 'debug' } } },
  },
  max_idle_agent_period: { why: limit, after: { max_idle_agent_period: '1h' } },
  max_agent_starting_period: { why: joining, after: { max_agent_starting_period: '1h' } },
  min_instances: { why: limit, after: { min_instances: 1 } },
  max_instances: { why: limit, after: { max_instances: 9 } },
  launch_error_timeout: { why: 'is about reports', after: { launch_error_timeout: '1m' } },
  launch_error_retries: { why: 'is about reports', after: { launch_error_retries: 2 } },
  'tls.trust': { drifts: ['TLS_ROOT', 'tls'], after: { tls: { trust: 'system' } } },
  'tls.allow_ip_only': { why: check, after: { tls: { allow_ip_only: true } } },
  'tls.ca_file': { drifts: 'TLS_ROOT', after: { tls: { ca_file: 'other.crt' } } },
  'join.proof': {
    drifts: 'join',
    after: { join: { proof: 'required' } },
  },
  'join.url': {
    drifts: ['TLS_ROOT', 'join'],
    before: { join: required },
    after: { join: atListener },
    top: listener,
  },
  'join.identity_certificates': {
    why: 'is read by the provisioner only',
    before: { join: required },
    after: { join: { ...required, identity_certificates: 'chain.crt' } },
  },
  'rollout.images': {
    why: 'decides what counts, and is nothing of an instance',
    after: { rollout: { images: 'latest' } },
  },
  'rollout.when': { why: replacing, after: { rollout: { when: 'never' } } },
  'rollout.max_unavailable': { why: replacing, after: { rollout: { max_unavailable: 2 } } },
  'rollout.surge': { why: replacing, after: { rollout: { surge: 2 } } },
  'rollout.schedule[].cron': {
    why: replacing,
    after: { rollout: { schedule: [{ cron: '0 22 * * *', duration: '8h' }] } },
  },
  'rollout.schedule[].duration': {
    why: replacing,
    before: { rollout: { schedule: [{ cron: '0 22 * * *', duration: '7h' }] } },
    after: { rollout: { schedule: [{ cron: '0 22 * * *', duration: '8h' }] } },
  },
  'rollout.schedule[].time_zone': {
    why: replacing,
    before: { rollout: { schedule: [{ cron: '0 22 * * *', duration: '8h' }] } },
    after: { rollout: { schedule: [{ cron: '0 22 * * *', duration: '8h', time_zone: 'Europe/Berlin' }] } },
  },
  'rollout.drain_timeout': {
    why: replacing,
    before: { rollout: { when: 'budget' } },
    after: { rollout: { when: 'budget', drain_timeout: '1h' } },
  },
  max_lifetime: { why: replacing, after: { max_lifetime: '168h' } },
  preflight: { why: check, after: { preflight: 'off' } },
  preflight_address: { why: check, after: { preflight_address: '10.0.0.5:8443' } },
  preflight_proof: { why: check, after: { preflight_proof: 'http' } },
  agent_setup_template: { drifts: 'startup_script', after: { agent_setup_template: 'own.hbs' } },
  allow_secrets_in_user_data: { why: check, after: { allow_secrets_in_user_data: true } },
  allow_command_agents: { why: check, after: { allow_command_agents: true } },
  boot_timeout: { why: joining, after: { boot_timeout: '21m' } },
  launch_rate: { why: limit, after: { launch_rate: 99 } },
  placement_grace: { why: 'is about decisions', after: { placement_grace: '1m' } },
  poweroff_if_never_joined: { why: joining, after: { poweroff_if_never_joined: false } },
} as const satisfies Keys

const ofDocker = {
  agent_docker_network: { drifts: 'agent_docker_network', after: { agent_docker_network: 'host' } },
  agent_docker_runtime: { drifts: 'agent_docker_runtime', after: { agent_docker_runtime: 'nvidia' } },
  agent_docker_image: { drifts: 'agent_docker_image', after: { agent_docker_image: 'agent:2' } },
  agent_runtime: {
    drifts: ['agent_docker_image', 'agent_docker_network', 'agent_docker_runtime', 'agent_runtime'],
    after: { agent_runtime: 'process' },
  },
} as const satisfies Keys

export const awsKeys: Keys = {
  ...common,
  ...ofDocker,
  'join.proofs': {
    drifts: 'join',
    before: { join: required },
    after: { join: { ...required, proofs: ['aws-identity-document', 'aws-sts'] } },
  },
  base_config: { drifts: 'base_config', after: { base_config: { EbsOptimized: true } } },
  region: { why: identity, after: { region: 'us-east-1' } },
  'image.id': { drifts: 'image', after: { image: { id: 'ami-0000000000000000a' } } },
  'image.ssm': { drifts: 'image', after: { image: { ssm: '/an/image' } } },
  'image.owner': { drifts: 'image', after: { image: { owner: 'amazon', name: 'Image*' } } },
  'image.name': {
    drifts: 'image',
    before: { image: { owner: 'amazon', name: 'Image*' } },
    after: { image: { owner: 'amazon', name: 'Other*' } },
  },
  image_id: { drifts: 'image', after: { image: undefined, image_id: 'ami-0000000000000000a' } },
  'volume.type': { drifts: 'volume', after: { volume: { type: 'gp2' } } },
  'volume.size': { drifts: 'volume', after: { volume: { size: 300 } } },
  'volume.encrypted': { drifts: 'volume', after: { volume: { encrypted: true } } },
  'volume.kms_key_id': { drifts: 'volume', after: { volume: { kms_key_id: 'alias/key' } } },
  'volume.iops': { drifts: 'volume', after: { volume: { iops: 4000 } } },
  'volume.throughput': { drifts: 'volume', after: { volume: { throughput: 200 } } },
  root_volume_size: { drifts: 'volume', after: { root_volume_size: 300 } },
  tag_key: { drifts: 'tag_key', after: { tag_key: 'owner' } },
  tag_value: { drifts: 'tag_value', after: { tag_value: 'me' } },
  instance_name: { drifts: 'instance_name', after: { instance_name: 'agent' } },
  ssh_key_name: { drifts: 'ssh_key_name', after: { ssh_key_name: 'mine' } },
  'network_interface.public_ip': {
    drifts: 'network_interface',
    after: { network_interface: { public_ip: false } },
  },
  'network_interface.subnet_id': {
    drifts: 'subnet_ids',
    before: { network_interface: { subnet_id: 'subnet-a' } },
    after: { network_interface: { subnet_id: 'subnet-b' } },
  },
  'network_interface.security_group_id': {
    drifts: 'network_interface',
    after: { network_interface: { security_group_id: 'sg-1' } },
  },
  'network_interface.security_group_ids': {
    drifts: 'network_interface',
    after: { network_interface: { security_group_ids: ['sg-1', 'sg-2'] } },
  },
  'network_interface.efa': {
    drifts: 'network_interface',
    before: { instance_type: 'p4d.24xlarge' },
    after: { instance_type: 'p4d.24xlarge', network_interface: { efa: 1 } },
  },
  'network_interface.ipv6': { drifts: 'network_interface', after: { network_interface: { ipv6: true } } },
  subnet_ids: {
    drifts: 'subnet_ids',
    before: { subnet_ids: ['subnet-a', 'subnet-b'] },
    after: { subnet_ids: ['subnet-b', 'subnet-c'] },
  },
  placement_group: { drifts: 'placement_group', after: { placement_group: 'mine' } },
  tenancy: { drifts: 'tenancy', after: { tenancy: 'dedicated' } },
  iam_instance_profile_arn: {
    drifts: 'iam_instance_profile_arn',
    after: { iam_instance_profile_arn: 'arn:aws:iam::123456789012:instance-profile/agent' },
  },
  metadata_hop_limit: { drifts: 'metadata_hop_limit', after: { metadata_hop_limit: 1 } },
  'capacity.reservation': {
    drifts: 'capacity',
    before: { capacity: { reservation: 'cr-0123456789abcdef0' } },
    after: { capacity: { reservation: 'cr-0123456789abcdef1' } },
  },
  'capacity.block': {
    drifts: 'capacity',
    before: { capacity: { block: 'cr-0123456789abcdef0' } },
    after: { capacity: { block: 'cr-0123456789abcdef1' } },
  },
  'capacity.only': {
    drifts: 'capacity',
    after: { capacity: { reservation: 'cr-0123456789abcdef0', only: true } },
  },
  instance_type: { drifts: 'instance_type', after: { instance_type: 'g6.xlarge' } },
  instance_slots: { why: limit, before: { instance_slots: 1 }, after: { instance_slots: 2 } },
  'instance_types[].type': {
    drifts: 'instance_type',
    after: { instance_type: undefined, instance_types: ['g6.xlarge', 'g6.2xlarge'] },
  },
  'instance_types[].slots': {
    why: limit,
    after: { instance_type: undefined, instance_types: [{ type: 'g5.xlarge', slots: 2 }] },
  },
  'instance_types[].family': {
    drifts: 'instance_type',
    after: { instance_type: undefined, instance_types: [{ family: 'g6' }] },
  },
  cpu_slots_allowed: {
    drifts: 'slot_type',
    before: { instance_type: 'm5.large' },
    after: { instance_type: 'm5.large', cpu_slots_allowed: true },
  },
  log_group: { drifts: 'log_group', after: { log_group: 'agents' } },
  log_stream: {
    drifts: 'log_stream',
    before: { log_group: 'agents' },
    after: { log_group: 'agents', log_stream: 'gpu' },
  },
  'spot.enabled': { drifts: 'spot', after: { spot: { enabled: true } } },
  'spot.fallback': {
    drifts: 'spot',
    before: { spot: { fallback: 'on_demand' } },
    after: { spot: { fallback: 'none' } },
    instance: { capacityType: 'on_demand' },
  },
  'spot.max_price': {
    drifts: 'spot',
    before: { spot: { max_price: '1.5' } },
    after: { spot: { max_price: '2' } },
  },
  spot_max_price: {
    drifts: 'spot',
    before: { spot: true },
    after: { spot: true, spot_max_price: '2' },
  },
  'custom_tags[].key': {
    drifts: 'custom_tags',
    before: { custom_tags: [{ key: 'a', value: 'b' }] },
    after: { custom_tags: [{ key: 'c', value: 'b' }] },
  },
  'custom_tags[].value': {
    drifts: 'custom_tags',
    before: { custom_tags: [{ key: 'a', value: 'b' }] },
    after: { custom_tags: [{ key: 'a', value: 'c' }] },
  },
}

export const gcpKeys: Keys = {
  ...common,
  ...ofDocker,
  'join.proofs': {
    why: 'there is one kind of proof',
    before: { join: required },
    after: { join: { ...required, proofs: ['gcp-identity-token'] } },
  },
  base_config: { drifts: 'base_config', after: { base_config: { canIpForward: true } } },
  project: { why: identity, after: { project: 'other' } },
  zone: { drifts: 'zone', after: { zone: 'us-central1-b' } },
  zones: { drifts: 'zone', after: { zone: undefined, zones: ['us-central1-b', 'us-central1-c'] } },
  boot_disk_source_image: {
    drifts: 'boot_disk_source_image',
    after: { boot_disk_source_image: 'projects/p/global/images/other' },
  },
  boot_disk_size: { drifts: 'boot_disk_size', after: { boot_disk_size: 300 } },
  boot_disk_type: { drifts: 'boot_disk_type', after: { boot_disk_type: 'pd-ssd' } },
  labels: { drifts: 'labels', after: { labels: { team: 'a' } } },
  label_key: { drifts: 'label_key', after: { label_key: 'owner' } },
  label_value: { drifts: 'label_value', after: { label_value: 'me' } },
  name_prefix: { drifts: 'name_prefix', after: { name_prefix: 'mine-' } },
  'network_interface.network': {
    drifts: 'network_interface',
    after: { network_interface: { network: 'n', subnetwork: 's' } },
  },
  'network_interface.subnetwork': {
    drifts: 'network_interface',
    before: { network_interface: { network: 'n', subnetwork: 's' } },
    after: { network_interface: { network: 'n', subnetwork: 't' } },
  },
  'network_interface.external_ip': {
    drifts: 'network_interface',
    after: { network_interface: { external_ip: true } },
  },
  network_tags: { drifts: 'network_tags', after: { network_tags: ['agent'] } },
  'service_account.email': {
    drifts: 'service_account',
    after: { service_account: { email: 'b@p.iam.gserviceaccount.com' } },
  },
  'service_account.scopes': {
    drifts: 'service_account',
    after: { service_account: { email: 'a@p.iam.gserviceaccount.com', scopes: ['compute'] } },
  },
  'instance_type.machine_type': {
    drifts: 'instance_type',
    after: { instance_type: { machine_type: 'g2-standard-8' } },
  },
  'instance_type.gpu_type': {
    drifts: 'instance_type',
    before: { instance_type: { machine_type: 'n1-standard-8', gpu_type: 'nvidia-tesla-t4', gpu_num: 1 } },
    after: { instance_type: { machine_type: 'n1-standard-8', gpu_type: 'nvidia-tesla-v100', gpu_num: 1 } },
  },
  'instance_type.gpu_num': {
    drifts: 'instance_type',
    before: { instance_type: { machine_type: 'n1-standard-8', gpu_num: 1 } },
    after: { instance_type: { machine_type: 'n1-standard-8', gpu_num: 2 } },
  },
  'instance_type.preemptible': {
    drifts: 'spot',
    after: { instance_type: { machine_type: 'g2-standard-4', preemptible: true } },
  },
  'instance_types[].type': {
    drifts: 'instance_type',
    after: { instance_type: undefined, instance_types: ['g2-standard-8'] },
  },
  'instance_types[].slots': {
    why: limit,
    after: { instance_type: undefined, instance_types: [{ type: 'g2-standard-4', slots: 2 }] },
  },
  'spot.enabled': { drifts: 'spot', after: { spot: { enabled: true } } },
  'spot.fallback': {
    drifts: 'spot',
    before: { spot: { fallback: 'on_demand' } },
    after: { spot: { fallback: 'none' } },
    instance: { capacityType: 'on_demand' },
  },
  'capacity.reservation': {
    drifts: 'capacity',
    before: { capacity: { reservation: 'one' } },
    after: { capacity: { reservation: 'two' } },
  },
  'capacity.only': { drifts: 'capacity', after: { capacity: { reservation: 'one', only: true } } },
  'capacity.flex_start': { drifts: 'capacity', after: { capacity: { flex_start: '24h' } } },
  cpu_slots_allowed: {
    drifts: 'slot_type',
    before: { instance_type: { machine_type: 'e2-standard-4' } },
    after: { instance_type: { machine_type: 'e2-standard-4' }, cpu_slots_allowed: true },
  },
  use_cloud_logging: { drifts: 'use_cloud_logging', after: { use_cloud_logging: true } },
  operation_timeout_period: { why: 'is about calls', after: { operation_timeout_period: '9m' } },
}

const noContainer = 'an agent that is a process has no container'

export const localKeys: Keys = {
  ...common,
  master_url: { drifts: 'master_url', after: { master_url: 'https://127.0.0.2:8443' } },
  agent_docker_network: { why: noContainer, after: { agent_docker_network: 'host' } },
  agent_docker_runtime: { why: noContainer, after: { agent_docker_runtime: 'nvidia' } },
  agent_docker_image: { why: noContainer, after: { agent_docker_image: 'agent:2' } },
  agent_runtime: { why: 'is always process', after: { agent_runtime: 'process' } },
  'join.proofs': {
    why: 'there is one kind of proof',
    before: { join: required },
    after: { join: { ...required, proofs: ['local-secret'] } },
  },
  slots: { drifts: 'slots', after: { slots: 2 } },
}

/** Of the pool, beside its provider. */
export const poolKeys: Readonly<Record<string, string>> = {
  pool_name: 'a pool of another name is another pool',
  description: 'is for people',
  provider: 'has keys of its own',
  agents: 'is about agents without an instance',
  max_aux_containers_per_agent: limit,
  max_cpu_containers_per_agent: limit,
  agent_reconnect_wait: 'is about what the master waits for',
  agent_reattach_enabled: 'has no effect',
  scheduler: 'is of the master',
  task_container_defaults: 'is of the master',
  kubernetes_namespace: 'is of the master',
}
