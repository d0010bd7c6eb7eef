// Keys of other tools, and of other types of provider, in the words of `type: gcp`. Every target is a key of its schema.
import { each, type Synonyms } from '../../config/index.ts'

const inBaseConfig = {
  to: 'base_config',
  note: 'Write it below, in camelCase, as in the REST API of Compute Engine.',
} as const

export const gcpSynonyms: Synonyms = {
  // Location and network.
  ...each('project', ['project_id', 'gcp_project', 'google_project']),
  ...each({ to: ['zone', 'zones'], note: 'The zones must be of one region.' }, [
    'region',
    'location',
    'locations',
    'node_locations',
    'availability_zone',
    'availability_zones',
  ]),
  ...each('network_interface', ['network_interfaces']),
  ...each('network_interface.subnetwork', ['subnet', 'subnet_id', 'subnet_ids', 'subnets']),
  ...each('network_interface.network', ['vpc', 'vpc_network', 'vpc_id']),
  ...each('network_interface.external_ip', ['access_config', 'access_configs', 'public_ip', 'nat_ip']),
  ...each({ to: 'network_tags', note: 'Firewall rules use network tags; key-value pairs are `labels`.' }, [
    'tags',
    'security_groups',
    'security_group_id',
    'security_group_ids',
    'firewall_tags',
    'target_tags',
  ]),
  // Image and disk.
  ...each('boot_disk_source_image', [
    'image',
    'image_id',
    'image_family',
    'image_project',
    'source_image',
    'source_image_family',
    'ami',
    'ami_id',
  ]),
  ...each('boot_disk_size', ['disk_size', 'disk_size_gb', 'boot_disk_size_gb', 'root_volume_size']),
  ...each('boot_disk_type', ['disk_type', 'volume_type']),
  ...each({ to: ['boot_disk_source_image', 'boot_disk_size', 'boot_disk_type'], note: 'Each is a key.' }, [
    'boot_disk',
    'disk',
    'disks',
    'initialize_params',
    'volume',
    'root_block_device',
    'block_device_mappings',
  ]),
  // Identity and names.
  ...each('service_account.email', [
    'service_account_email',
    'iam_instance_profile',
    'iam_instance_profile_arn',
    'instance_profile',
  ]),
  ...each('service_account.scopes', ['oauth_scopes', 'service_account_scopes']),
  ...each('service_account', ['service_accounts', 'node_service_account']),
  ...each('labels', ['custom_tags', 'user_labels', 'instance_labels', 'resource_labels']),
  ...each('name_prefix', ['instance_name', 'base_instance_name', 'instance_name_prefix']),
  ...each('startup_script', ['metadata_startup_script', 'startup_script_url']),
  // Machine types, GPUs and how they are paid.
  ...each('instance_type.machine_type', [
    'node_type',
    'vm_size',
    'compute_agent_instance_type',
    'machine_family',
  ]),
  ...each('instance_types', ['machine_types']),
  ...each('instance_type.gpu_type', ['accelerator_type', 'guest_accelerator_type', 'gpu']),
  ...each(
    {
      to: ['instance_type.gpu_type', 'instance_type.gpu_num'],
      note: 'Only N1 machines need them; other types have their GPUs built in.',
    },
    ['guest_accelerator', 'guest_accelerators', 'accelerators', 'accelerator'],
  ),
  ...each('instance_type.gpu_num', ['gpus', 'gpu_count', 'num_gpus', 'accelerator_count']),
  ...each('instance_types[].slots', ['instance_slots', 'slots', 'slots_per_agent']),
  ...each({ to: 'spot', note: 'Write `spot: true`, or `spot: {fallback: on_demand}`.' }, [
    'capacity_type',
    'provisioning_model',
    'market_type',
    'use_spot',
    'preemptible',
    'preemption_enabled',
    'spot_price',
    'spot_max_price',
  ]),
  ...each({ to: 'spot.fallback', note: 'Its value is `on_demand` or `none`.' }, [
    'on_demand_fallback',
    'fallback_to_on_demand',
    'spot_fallback',
  ]),
  ...each(inBaseConfig, [
    'metadata',
    'min_cpu_platform',
    'scheduling',
    'shielded_instance_config',
    'confidential_instance_config',
    'advanced_machine_features',
    'resource_policies',
    'on_host_maintenance',
    'can_ip_forward',
  ]),
  ...each('capacity.reservation', [
    'reservation',
    'reservation_name',
    'reservation_affinity',
    'specific_reservation',
  ]),
  ...each('capacity.flex_start', ['flex_start', 'max_run_duration']),
  ...each('use_cloud_logging', ['cloud_logging', 'logging_enabled']),
}
