// `type: gcp`: the origin's keys (origin: provconfig/gcp_config.go) and ours.
import type { CommonProviderConfig, InstanceTypeChoice } from '../../config/provider-config.ts'

export interface GcpConfig extends CommonProviderConfig {
  type: 'gcp'
  /** Compute Engine `InstanceProperties` as JSON, camelCase; the fields below are laid over it. */
  base_config: Record<string, unknown>
  /** undefined: from the metadata server when the provider starts. */
  project?: string
  zone?: string
  /** Several zones: the cloud spreads over those with capacity. */
  zones: string[]
  boot_disk_source_image: string
  boot_disk_size: number
  boot_disk_type: string
  labels: Record<string, string>
  label_key: string
  /** undefined: the master's instance name when it is on GCE, else `determined-ai-determined`. */
  label_value?: string
  name_prefix?: string
  network_interface: { network: string; subnetwork: string; external_ip: boolean }
  network_tags: string[]
  service_account: { email: string; scopes: string[] }
  instance_type: { machine_type: string; gpu_type: string; gpu_num: number; preemptible: boolean }
  /** Machine types in order of preference; `instance_type` alone gives a list of one. Every entry has its slots. */
  instance_types: Required<InstanceTypeChoice>[]
  /** `instance_type.preemptible: true` is the origin's word for `enabled` without a fallback. */
  spot: { enabled: boolean; fallback: 'on_demand' | 'none' }
  cpu_slots_allowed: boolean
  use_cloud_logging: boolean
  operation_timeout_period: number
}
