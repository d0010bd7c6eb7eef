// Determined's own test vectors of its configuration, and the result of each here. docs/internals/determined-vectors.md is generated from it.
import type { ProblemCode } from '../../../src/problems/codes.ts'

export interface DeterminedVector {
  /** Determined's test file, below master/. */
  file: string
  vector: string
  text: string
  /** `passes`, or the correction made here that Determined's expectation contradicts. */
  here: 'passes' | 'differs' | 'not read'
  why: string
  /** The codes of all problems, in order; none by default. */
  codes?: ProblemCode[]
  /** Part of the configuration. */
  config?: object
  /** Part of the first pool's provider. */
  provider?: object
  /** The address that its agents dial. */
  address?: string
}

const provconfig = 'internal/config/provconfig/config_test.go'
const awsConfig = 'internal/config/provconfig/aws_config_test.go'
const gcpConfig = 'internal/config/provconfig/gcp_config_test.go'
const root = 'cmd/determined-master/root_test.go'
const masterConfig = 'internal/config/config_test.go'
const schedulerConfig = 'internal/config/scheduler_config_test.go'

/** One pool with this provider, as JSON: the form of most vectors. */
const pool = (provider: object) => JSON.stringify({ resource_pools: [{ pool_name: 'default', provider }] })

/** Determined's tests have names here that AWS cannot have, such as `test.region`; these are possible ones. */
const awsKeys = {
  type: 'aws',
  region: 'us-west-2',
  image_id: 'ami-0123456789abcdef0',
  ssh_key_name: 'test-key',
}
const master = { master_url: 'http://test.master', agent_docker_image: 'test_image' }
const periods = { max_idle_agent_period: '30s', max_agent_starting_period: '30s' }
const disk = {
  mode: 'READ_ONLY',
  boot: false,
  initializeParams: {
    sourceImage: 'projects/determined-ai/global/images/determined-agent',
    diskSizeGb: '200',
    diskType: 'projects/determined-ai/zones/us-central1-a/diskTypes/pd-ssd',
  },
  autoDelete: true,
}
const gpus = (machine_type: string, gpu_type: string, gpu_num: number) =>
  pool({ type: 'gcp', boot_disk_source_image: 'i', instance_type: { machine_type, gpu_type, gpu_num } })

export const determinedVectors: DeterminedVector[] = [
  {
    file: provconfig,
    vector: 'a provider without keys is refused, with these defaults',
    text: pool({}),
    here: 'passes',
    why: 'Refused with another message; the defaults are those of `type: local`, tested in providers.test.ts.',
    codes: ['PROVIDER_TYPE_MISSING'],
  },
  {
    file: provconfig,
    vector: 'AWS: `http://test.master` is dialled on port 8080; periods of 30 s; an ignored fluent image',
    text: pool({ ...awsKeys, ...master, ...periods, agent_fluent_image: 'fluent_image' }),
    here: 'passes',
    why: 'A warning reports that the fluent image is ignored.',
    codes: ['CONFIG_UNUSED'],
    provider: {
      region: 'us-west-2',
      agent_fluent_image: 'fluent_image',
      agent_docker_image: 'test_image',
      max_idle_agent_period: 30_000,
      max_agent_starting_period: 30_000,
      instance_types: [{ type: 'g4dn.metal', slots: 8 }],
    },
    address: 'http://test.master:8080',
  },
  {
    file: provconfig,
    vector: 'GCP: `http://test.master` is dialled on port 8080',
    text: pool({
      type: 'gcp',
      ...master,
      project: 'test_project2',
      zone: 'test-zone2',
      boot_disk_source_image: 'i2',
    }),
    here: 'passes',
    why: '',
    provider: {
      project: 'test_project2',
      zone: 'test-zone2',
      boot_disk_source_image: 'i2',
      max_idle_agent_period: 1_200_000,
      max_instances: 5,
    },
    address: 'http://test.master:8080',
  },
  {
    file: provconfig,
    vector: 'a startup script written as a block keeps its text',
    text: 'provisioner:\n  provider: local\n  startup_script: |\n                echo "hello world"\n                sleep 5\n',
    here: 'passes',
    why: 'With a type added: reading and validation are one step here.',
    provider: { startup_script: 'echo "hello world"\nsleep 5\n' },
  },
  {
    file: provconfig,
    vector: '`base_config` with `diskSizeGb: "200"` becomes the number 200',
    text: pool({ type: 'gcp', ...master, boot_disk_source_image: 'i3', base_config: { disks: [disk] } }),
    here: 'differs',
    why: '`base_config` is sent to the API unchanged; its JSON represents 64-bit numbers as strings.',
    provider: { base_config: { disks: [disk] } },
    address: 'http://test.master:8080',
  },
  {
    file: provconfig,
    vector: '`type: hpc` with a partition is valid',
    text: pool({ type: 'hpc', partition: 'tesla_queue', ...master }),
    here: 'differs',
    why: "Refused: it launches nothing, and crashes Determined's master with the agent resource manager.",
    codes: ['PROVIDER_HPC'],
  },
  {
    file: awsConfig,
    vector: 'region, image and key pair are enough',
    text: pool(awsKeys),
    here: 'passes',
    why: '',
    provider: {
      region: 'us-west-2',
      image: { id: 'ami-0123456789abcdef0' },
      ssh_key_name: 'test-key',
      instance_name: 'determined-ai-agent',
      volume: { size: 200 },
      tag_key: 'managed_by',
      network_interface: { public_ip: true },
      spot: { enabled: false },
      cpu_slots_allowed: false,
    },
  },
  {
    file: awsConfig,
    vector: 'a full object keeps every value',
    text: pool({
      ...awsKeys,
      instance_name: 'test.instance_name',
      network_interface: {
        public_ip: false,
        subnet_id: 'subnet-0123456789abcdef0',
        security_group_id: 'sg-0123456789abcdef0',
      },
      tag_key: 'dai',
      tag_value: 'agent',
      root_volume_size: 120,
      instance_type: 'p2.xlarge',
      iam_instance_profile_arn: 'arn:aws:iam::123456789012:instance-profile/test',
      custom_tags: [{ key: 'key1', value: 'value1' }],
    }),
    here: 'passes',
    why: '',
    provider: {
      instance_name: 'test.instance_name',
      network_interface: {
        public_ip: false,
        subnet_id: 'subnet-0123456789abcdef0',
        security_group_id: 'sg-0123456789abcdef0',
      },
      tag_key: 'dai',
      tag_value: 'agent',
      volume: { size: 120 },
      instance_types: [{ type: 'p2.xlarge', slots: 1 }],
      iam_instance_profile_arn: 'arn:aws:iam::123456789012:instance-profile/test',
      custom_tags: [{ key: 'key1', value: 'value1' }],
    },
  },
  {
    file: awsConfig,
    vector: 'an empty object is refused because the key pair is empty',
    text: pool({ type: 'aws' }),
    here: 'differs',
    why: 'Refused because no image is set; a key pair is optional.',
    codes: ['IMAGE_MISSING'],
  },
  {
    file: gcpConfig,
    vector: 'a boot image is enough',
    text: pool({ type: 'gcp', boot_disk_source_image: 'test-source_image' }),
    here: 'passes',
    why: '',
    provider: {
      boot_disk_source_image: 'test-source_image',
      boot_disk_size: 200,
      label_key: 'managed-by',
      instance_type: { machine_type: 'n1-standard-32', gpu_type: 'nvidia-tesla-t4', gpu_num: 4 },
      operation_timeout_period: 300_000,
    },
  },
  {
    file: gcpConfig,
    vector: 'a full object keeps every value',
    text: pool({
      type: 'gcp',
      project: 'test-project',
      zone: 'test-zone',
      boot_disk_size: 100,
      boot_disk_source_image: 'test-source_image',
      labels: { 'test-labels-key': 'test-labels-value' },
      label_key: 'test-label-key',
      label_value: 'test-label-value',
      name_prefix: 'test-name',
      network_interface: { network: 'test-network', subnetwork: 'test-subnetwork', external_ip: true },
      network_tags: ['test-tag1', 'test-tag2'],
      service_account: { email: 'my-project-123@service.account.com', scopes: ['a', 'b'] },
      instance_type: { machine_type: 'custom-1-1', gpu_type: 'nvidia-tesla-v100', gpu_num: 2 },
      operation_timeout_period: '5m',
    }),
    here: 'passes',
    why: '',
    provider: {
      project: 'test-project',
      zone: 'test-zone',
      boot_disk_size: 100,
      labels: { 'test-labels-key': 'test-labels-value' },
      label_key: 'test-label-key',
      label_value: 'test-label-value',
      name_prefix: 'test-name',
      network_interface: { network: 'test-network', subnetwork: 'test-subnetwork', external_ip: true },
      network_tags: ['test-tag1', 'test-tag2'],
      service_account: { email: 'my-project-123@service.account.com', scopes: ['a', 'b'] },
      instance_type: { machine_type: 'custom-1-1', gpu_type: 'nvidia-tesla-v100', gpu_num: 2 },
      instance_types: [{ type: 'custom-1-1', slots: 2 }],
      operation_timeout_period: 300_000,
    },
  },
  {
    file: gcpConfig,
    vector: 'an empty object is valid',
    text: pool({ type: 'gcp' }),
    here: 'differs',
    why: 'Refused because no image is set; the one Determined has built in does not exist any more.',
    codes: ['IMAGE_MISSING'],
  },
  {
    file: gcpConfig,
    vector: 'n1-standard-1 with eight V100 is valid',
    text: gpus('n1-standard-1', 'nvidia-tesla-v100', 8),
    here: 'passes',
    why: '',
    provider: { instance_types: [{ type: 'n1-standard-1', slots: 8 }] },
  },
  {
    file: gcpConfig,
    vector: 'bunny-1-1 is not a machine type',
    text: gpus('bunny-1-1', 'nvidia-tesla-v100', 8),
    here: 'passes',
    why: 'Refused because of the format of the name, not by a list.',
    codes: ['MACHINE_TYPE_INVALID'],
  },
  {
    file: gcpConfig,
    vector: 'nvidia-tesla-v999 is not a GPU',
    text: gpus('n1-standard-1', 'nvidia-tesla-v999', 8),
    here: 'passes',
    why: '',
    codes: ['GPU_TYPE_UNKNOWN'],
  },
  {
    file: gcpConfig,
    vector: 'ten V100 are too many',
    text: gpus('n1-standard-1', 'nvidia-tesla-v100', 10),
    here: 'passes',
    why: '',
    codes: ['GPU_COUNT_INVALID'],
  },
  {
    file: gcpConfig,
    vector: 'a service account keeps its scopes',
    text: pool({
      type: 'gcp',
      boot_disk_source_image: 'i',
      service_account: { email: 'a@b', scopes: ['a', 'b'] },
    }),
    here: 'passes',
    why: '',
    provider: { service_account: { email: 'a@b', scopes: ['a', 'b'] } },
  },
  {
    file: root,
    vector: 'the old form becomes the pool `default`',
    text: JSON.stringify({ scheduler: { fit: 'best' }, provisioner: { provider: 'local', ...periods } }),
    here: 'passes',
    why: 'With a type added. The scheduler of the master is not read.',
    config: { resource_pools: [{ pool_name: 'default' }] },
    provider: { max_idle_agent_period: 30_000, max_agent_starting_period: 30_000 },
  },
  {
    file: root,
    vector: 'an old Kubernetes scheduler becomes a Kubernetes resource manager without pools',
    text: JSON.stringify({ scheduler: { resource_provider: { type: 'kubernetes' } } }),
    here: 'differs',
    why: 'Refused: Kubernetes runs its pods itself, so there is nothing to launch.',
    codes: ['RESOURCE_MANAGER_UNSUPPORTED'],
  },
  {
    file: root,
    vector: '`base_config` keeps its camelCase, and other keys of the master do no harm',
    text: JSON.stringify({
      provisioner: { provider: 'gcp', boot_disk_source_image: 'i', base_config: { disks: [disk] } },
      task_container_defaults: { cpu_pod_spec: { apiVersion: 'v1', kind: 'Pod' } },
    }),
    here: 'passes',
    why: 'With an image added.',
    provider: { base_config: { disks: [disk] } },
  },
  {
    file: masterConfig,
    vector: 'a provider without `type` is read with its defaults',
    text: JSON.stringify({
      log: { level: 'info' },
      db: { user: 'u', password: 'p', host: 'h', port: '3000' },
      resource_manager: { type: 'agent', scheduler: { fitting_policy: 'best' } },
      resource_pools: [{ pool_name: 'default', provider: periods }],
      integrations: { pachyderm: { address: 'foo' } },
    }),
    here: 'differs',
    why: 'Reading and validation are one step: the missing type is reported, as Determined reports it later.',
    codes: ['PROVIDER_TYPE_MISSING'],
  },
  {
    file: masterConfig,
    vector: 'old names of the default pools, and of the auxiliary containers (0), are applied',
    text: JSON.stringify({
      resource_manager: {
        type: 'agent',
        default_cpu_resource_pool: 'cpu-pool',
        default_gpu_resource_pool: 'gpu-pool',
        scheduler: { type: 'fair_share' },
      },
      resource_pools: [
        { pool_name: 'cpu-pool', agents: 'any', max_aux_containers_per_agent: 10 },
        { pool_name: 'gpu-pool', agents: 'any', max_cpu_containers_per_agent: 0 },
      ],
    }),
    here: 'passes',
    why: 'With `agents: any` added. `fair_share` is accepted and not read.',
    config: {
      resource_manager: { default_aux_resource_pool: 'cpu-pool', default_compute_resource_pool: 'gpu-pool' },
      resource_pools: [{ max_aux_containers_per_agent: 10 }, { max_aux_containers_per_agent: 0 }],
    },
  },
  {
    file: masterConfig,
    vector: 'a file without resource manager',
    text: JSON.stringify({ log: { level: 'info' }, db: { user: 'u', port: '3000' } }),
    here: 'differs',
    why: 'Its one pool has no provider. The built-in master would know none of its agents: the file must set `agents: any`.',
    codes: ['POOL_ADMITS_NOBODY'],
  },
  {
    file: masterConfig,
    vector: '`agent_reattach_enabled` is reported as ignored',
    text: JSON.stringify({
      resource_pools: [{ pool_name: 'root', agents: 'any', agent_reattach_enabled: true }],
    }),
    here: 'passes',
    why: 'With `agents: any` added.',
    codes: ['CONFIG_UNUSED'],
  },
  {
    file: masterConfig,
    vector: 'no scheduler means `priority`; `round_robin` is refused',
    text: JSON.stringify({
      resource_manager: { type: 'agent', scheduler: { type: 'round_robin' } },
      resource_pools: [{ pool_name: 'default', agents: 'any' }],
    }),
    here: 'not read',
    why: 'The scheduler of the master is accepted and not read; the master itself refuses it.',
  },
  {
    file: schedulerConfig,
    vector: "a pool's scheduler with only `fitting_policy: worst` is of type `priority`",
    text: JSON.stringify({
      resource_pools: [{ pool_name: 'p', agents: 'any', scheduler: { fitting_policy: 'worst' } }],
    }),
    here: 'not read',
    why: 'The scheduler of the master is accepted and not read.',
  },
  {
    file: masterConfig,
    vector: 'printing the configuration masks scripts, passwords and keys',
    text: 'db:\n  password: db-secret\nresource_pools:\n  - pool_name: p\n    provider:\n      type: local\n      startup_script: |\n        script-secret\n      max_instancs: 1\n      container_startup_script: script-secret\ntelemetry:\n  segment_master_key: key-secret\nport: x\n',
    here: 'passes',
    why: 'The configuration is never printed; lines shown with a problem are masked, and scripts are left out.',
    codes: ['CONFIG_UNKNOWN_KEY', 'CONFIG_WRONG_TYPE'],
  },
]
