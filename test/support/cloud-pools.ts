// Provider blocks as the configuration reader returns them, for tests of the clouds.

import type { CommonProviderConfig } from '../../src/config/provider-keys.ts'
import type { MasterAddress } from '../../src/pki/trust-plan.ts'
import type { Offering } from '../../src/planner/snapshot.ts'
import type { AwsConfig } from '../../src/providers/aws/rules.ts'
import type { Intent, Ownership } from '../../src/providers/contract.ts'
import type { GcpConfig } from '../../src/providers/gcp/rules.ts'

export const owner: Ownership = { clusterId: 'prod', pool: 'gpu', writerId: 'writer-1' }
export const master: MasterAddress = { scheme: 'https', host: 'master.example.com', port: 8443 }

export function intentOf(
  offerings: Offering[],
  count = 3,
  id = '7d1c9a60-52ce-4b0e-9a43-6a3f4f0f8e11',
): Intent {
  return { id, count, offerings }
}

export function offering(instanceType: string, more: Partial<Offering> = {}): Offering {
  return { instanceType, zone: '', capacityType: 'on_demand', slots: 1, ...more }
}

const common: Omit<CommonProviderConfig, 'type'> = {
  master_url: 'https://master.example.com:8443',
  master_cert_name: '',
  startup_script: '',
  container_startup_script: '',
  agent_docker_network: 'default',
  agent_docker_runtime: 'runc',
  agent_docker_image: 'determinedai/determined-agent:0.38.1',
  agent_fluent_image: '',
  agent_reconnect_attempts: 5,
  agent_reconnect_backoff: 5,
  agent_config_file_contents: {},
  max_idle_agent_period: 1_200_000,
  max_agent_starting_period: 1_200_000,
  min_instances: 0,
  max_instances: 5,
  launch_error_timeout: 0,
  launch_error_retries: 0,
  tls: { trust: 'auto', allow_ip_only: false },
  join: { proof: 'off' },
  rollout: { images: 'pinned', when: 'idle', max_unavailable: '10%', surge: 1 },
  preflight: 'tls',
  preflight_proof: 'master',
  agent_runtime: 'docker',
  allow_secrets_in_user_data: false,
  allow_command_agents: false,
  boot_timeout: 600_000,
  launch_rate: 10,
  placement_grace: 30_000,
  poweroff_if_never_joined: true,
}

export function awsConfig(more: Partial<AwsConfig> = {}): AwsConfig {
  return {
    ...common,
    type: 'aws',
    region: 'us-west-2',
    base_config: {},
    image: { id: 'ami-0123456789abcdef0' },
    volume: { type: 'gp3', size: 200, encrypted: false },
    tag_key: 'managed_by',
    tag_value: 'determined-ai-determined',
    instance_name: 'determined-ai-agent',
    network_interface: { public_ip: true, subnet_id: '', security_group_id: '' },
    subnet_ids: [],
    iam_instance_profile_arn: '',
    metadata_hop_limit: 1,
    instance_types: [{ type: 'g5.xlarge', slots: 1 }],
    cpu_slots_allowed: false,
    log_group: '',
    log_stream: '',
    spot: { enabled: false, fallback: 'none' },
    custom_tags: [],
    ...more,
  }
}

export function gcpConfig(more: Partial<GcpConfig> = {}): GcpConfig {
  return {
    ...common,
    type: 'gcp',
    base_config: {},
    project: 'my-project',
    zone: 'us-central1-a',
    zones: [],
    boot_disk_source_image: 'projects/my-project/global/images/agent',
    boot_disk_size: 200,
    boot_disk_type: '',
    labels: {},
    label_key: 'managed-by',
    label_value: 'determined-ai-determined',
    name_prefix: 'det-',
    network_interface: { network: '', subnetwork: '', external_ip: false },
    network_tags: [],
    service_account: { email: '', scopes: [] },
    instance_type: {
      machine_type: 'n1-standard-8',
      gpu_type: 'nvidia-tesla-t4',
      gpu_num: 1,
      preemptible: false,
    },
    instance_types: [{ type: 'n1-standard-8', slots: 1 }],
    spot: { enabled: false, fallback: 'none' },
    cpu_slots_allowed: false,
    use_cloud_logging: false,
    operation_timeout_period: 300_000,
    ...more,
  }
}
