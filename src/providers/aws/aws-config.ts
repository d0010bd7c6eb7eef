// `type: aws`: the origin's keys (origin: provconfig/aws_config.go) and ours.
import type { CommonProviderConfig, InstanceTypeChoice } from '../../config/provider-config.ts'

export interface SpotConfig {
  enabled: boolean
  /** Dollars an hour as text; undefined: the on-demand price is the cap. */
  max_price?: string
  fallback: 'on_demand' | 'none'
}

/** One way to name the machine image. */
export type AwsImage = { id: string } | { ssm: string } | { owner: string; name: string }

export interface AwsVolume {
  type: string
  /** GB */
  size: number
  encrypted: boolean
  iops?: number
  /** MiB/s */
  throughput?: number
}

export interface AwsConfig extends CommonProviderConfig {
  type: 'aws'
  /** undefined: from the environment or instance metadata when the provider starts. */
  region?: string
  image: AwsImage
  volume: AwsVolume
  tag_key: string
  /** undefined: the master's instance id when it is on EC2, else `determined-ai-determined`. */
  tag_value?: string
  instance_name: string
  ssh_key_name?: string
  network_interface: { public_ip: boolean; subnet_id: string; security_group_id: string }
  subnet_ids: string[]
  iam_instance_profile_arn: string
  /** Network hops a metadata answer may take: 2 reaches containers (the origin's), 1 only the VM itself. */
  metadata_hop_limit: number
  /** In order of preference; `instance_type` alone gives a list of one. Every entry has its slots. */
  instance_types: Required<InstanceTypeChoice>[]
  cpu_slots_allowed: boolean
  log_group: string
  log_stream: string
  spot: SpotConfig
  custom_tags: { key: string; value: string }[]
}
