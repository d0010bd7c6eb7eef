// Provider blocks after defaults and rules: old keys beside new ones, slots, GPUs and disks.
import { describe, expect, it } from 'vitest'
import type { AwsConfig } from '../../../src/providers/aws/rules.ts'
import type { GcpConfig } from '../../../src/providers/gcp/rules.ts'
import type { LocalConfig } from '../../../src/providers/local/request.ts'
import { parseConfig } from '../../support/config.ts'
import { aws, gcp, local, provider } from './marked.ts'

function read<C>(text: string): C {
  const { config, problems } = parseConfig(text, '/etc/det/master.yaml')
  expect(problems).toEqual([])
  return config!.resource_pools[0]!.provider as C
}

const awsOf = (lines: string) => read<AwsConfig>(aws(lines))
const gcpOf = (lines: string) => read<GcpConfig>(gcp(lines))
const localOf = (lines: string) => read<LocalConfig>(local(lines))
const minutes = (count: number) => count * 60_000

describe('every provider', () => {
  it('has these defaults', () => {
    expect(localOf('')).toEqual({
      type: 'local',
      slots: 1,
      master_url: '',
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
      max_idle_agent_period: minutes(20),
      max_agent_starting_period: minutes(20),
      min_instances: 0,
      max_instances: 5,
      launch_error_timeout: 0,
      launch_error_retries: 0,
      tls: { trust: 'auto', allow_ip_only: false },
      join: { proof: 'off' },
      rollout: { images: 'pinned', when: 'idle', max_unavailable: '10%', surge: 1 },
      preflight: 'tls',
      preflight_proof: 'master',
      agent_runtime: 'process',
      allow_command_agents: false,
      allow_secrets_in_user_data: false,
      boot_timeout: minutes(10),
      launch_rate: 10,
      placement_grace: 30_000,
      poweroff_if_never_joined: true,
    })
  })

  it.each([
    ['', minutes(10)],
    ['boot_timeout: 90s', 90_000],
    ['max_agent_starting_period: 1h30m', minutes(90)],
  ])('boots within the right time: %j', (lines, expected) => {
    expect(localOf(lines).boot_timeout).toBe(expected)
  })

  it('gives bare metal half an hour', () => {
    expect(awsOf('').boot_timeout).toBe(minutes(30))
    expect(awsOf('instance_type: g5.xlarge').boot_timeout).toBe(minutes(10))
    expect(awsOf('instance_types: [{type: g5.xlarge}, {type: m7i.metal-24xl}]').boot_timeout).toBe(
      minutes(30),
    )
    expect(gcpOf('instance_type: {machine_type: c3-standard-192-metal}').boot_timeout).toBe(minutes(30))
  })

  it('launches at least ten an hour, or twice the pool', () => {
    expect(localOf('max_instances: 20').launch_rate).toBe(40)
    expect(localOf('max_instances: 20\nlaunch_rate: 3').launch_rate).toBe(3)
  })

  it('has absolute paths', () => {
    expect(localOf('agent_setup_template: t.hbs\ntls: {trust: embed, ca_file: ../ca.pem}')).toMatchObject({
      agent_setup_template: '/etc/det/t.hbs',
      tls: { ca_file: '/etc/ca.pem' },
    })
  })

  it('reads yes and no as booleans, and keeps strings that only look like booleans or numbers', () => {
    expect(
      localOf('poweroff_if_never_joined: no\ntls: {trust: off, allow_ip_only: on}\npreflight: off'),
    ).toMatchObject({
      poweroff_if_never_joined: false,
      preflight: 'off',
      tls: { trust: 'off', allow_ip_only: true },
    })
    expect(awsOf('tag_value: 0123\ninstance_name: yes\nspot: true\nspot_max_price: 0.50')).toMatchObject({
      tag_value: '0123',
      instance_name: 'yes',
      spot: { enabled: true, max_price: '0.50', fallback: 'none' },
    })
  })

  it.each([
    ['a mapping', 'agent_config_file_contents: {security: {tls: {enabled: yes}}, label: x}'],
    ['YAML in a text', 'agent_config_file_contents: |\n  security: {tls: {enabled: yes}}\n  label: x'],
    ['JSON in a text', `agent_config_file_contents: '{"security":{"tls":{"enabled":true}},"label":"x"}'`],
  ])("takes the agent's configuration as %s", (_name, lines) => {
    expect(localOf(lines).agent_config_file_contents).toEqual({
      security: { tls: { enabled: true } },
      label: 'x',
    })
  })

  it('keeps scripts unchanged', () => {
    expect(localOf('startup_script: |\n  #!/bin/sh\n  echo "$HOME" \\\n    ü\n').startup_script).toBe(
      '#!/bin/sh\necho "$HOME" \\\n  ü\n',
    )
  })
})

describe('aws', () => {
  it('has these defaults', () => {
    expect(awsOf('')).toMatchObject({
      image: { id: 'ami-1' },
      volume: { type: 'gp3', size: 200, encrypted: false },
      tag_key: 'managed_by',
      instance_name: 'determined-ai-agent',
      network_interface: { public_ip: true, subnet_id: '', security_group_id: '' },
      subnet_ids: [],
      iam_instance_profile_arn: '',
      instance_types: [{ type: 'g4dn.metal', slots: 8 }],
      cpu_slots_allowed: false,
      log_group: '',
      log_stream: '',
      spot: { enabled: false, fallback: 'none' },
      custom_tags: [],
    })
    expect(Object.keys(awsOf(''))).not.toEqual(
      expect.arrayContaining(['image_id', 'root_volume_size', 'instance_type']),
    )
  })

  it.each([
    ['image_id: ami-1', { id: 'ami-1' }],
    ['image: {id: ami-1}', { id: 'ami-1' }],
    ['image: {ssm: /a/b}', { ssm: '/a/b' }],
    ['image: {owner: 123456789012, name: "x*"}', { owner: '123456789012', name: 'x*' }],
  ])('names the image as %s', (lines, image) => {
    expect(read<AwsConfig>(provider('aws', lines)).image).toEqual(image)
  })

  it('accepts the old size of the root volume beside the new keys', () => {
    expect(awsOf('root_volume_size: 120\nvolume: {type: io2, iops: 5000, encrypted: true}').volume).toEqual({
      type: 'io2',
      size: 120,
      iops: 5000,
      encrypted: true,
    })
  })

  it.each([
    ['spot: true', { enabled: true, fallback: 'none' }],
    ['spot: {}', { enabled: true, fallback: 'none' }],
    [
      'spot: {max_price: "1.5", fallback: on_demand}',
      { enabled: true, max_price: '1.5', fallback: 'on_demand' },
    ],
    ['spot: {enabled: false}', { enabled: false, fallback: 'none' }],
  ])('buys spot capacity by %s', (lines, spot) => {
    expect(awsOf(lines).spot).toEqual(spot)
  })

  it.each([
    ['p2.16xlarge', 16],
    ['p3dn.24xlarge', 8],
    ['p5.4xlarge', 1],
    ['p6-b200.48xlarge', 8],
    ['g4dn.12xlarge', 4],
    ['g6e.48xlarge', 8],
    ['g7e.12xlarge', 2],
    ['m5zn.12xlarge', 0],
    ['t3.nano', 0],
    ['c7gn.metal', 0],
    ['r7iz.metal-16xl', 0],
    ['m6i.large', 0],
    ['im4gn.large', 0],
    ['hpc7a.96xlarge', 0],
  ])('knows that %s has %i slots', (type, slots) => {
    expect(awsOf(`instance_type: ${type}`).instance_types).toEqual([{ type, slots }])
  })

  it.each([
    'inf2.xlarge',
    'dl1.24xlarge',
    'f2.6xlarge',
    'vt1.3xlarge',
    'g5g.xlarge',
    'm5.huge',
    'constructor.xlarge',
  ])('does not guess the slots of %s', (type) => {
    const { problems } = parseConfig(aws(`instance_type: ${type}`), 'm.yaml')
    expect(problems.map(({ code }) => code)).toEqual(['INSTANCE_SLOTS_UNKNOWN'])
    expect(awsOf(`instance_type: ${type}\ninstance_slots: 2`).instance_types).toEqual([{ type, slots: 2 }])
  })

  it.each([
    ['g6', 'g6.xlarge 1, g6.12xlarge 4, g6.48xlarge 8'],
    ['g4dn', 'g4dn.xlarge 1, g4dn.12xlarge 4'],
    ['p5', 'p5.4xlarge 1, p5.48xlarge 8'],
    ['g7e', 'g7e.2xlarge 1, g7e.12xlarge 2, g7e.24xlarge 4, g7e.48xlarge 8'],
  ])('of the family %s are the smallest size for each number of GPUs', (family, sizes) => {
    const { instance_types } = awsOf(`instance_types: [{family: ${family}}]`)
    expect(instance_types.map(({ type, slots }) => `${type} ${slots}`).join(', ')).toBe(sizes)
  })

  it('may be a name instead of a mapping', () => {
    expect(awsOf('instance_types: [g5.xlarge, {type: g6.12xlarge}]').instance_types).toEqual([
      { type: 'g5.xlarge', slots: 1 },
      { type: 'g6.12xlarge', slots: 4 },
    ])
  })

  it('may have any field of base_config where only reserved capacity is used', () => {
    const capacity = 'capacity: {reservation: open, only: true}\nsubnet_ids: [subnet-1, subnet-2]'
    expect(awsOf(`${capacity}\nbase_config: {AdditionalInfo: a}`).base_config).toEqual({
      AdditionalInfo: 'a',
    })
  })

  it('of a family follow those that are listed before it, each once', () => {
    const text = 'instance_types: [{type: g5.8xlarge}, {type: g6.12xlarge}, {family: g6}]'
    expect(awsOf(text).instance_types.map(({ type }) => type)).toEqual([
      'g5.8xlarge',
      'g6.12xlarge',
      'g6.xlarge',
      'g6.48xlarge',
    ])
  })

  it('prefers the file to its table, and keeps the order of several types', () => {
    expect(awsOf('instance_type: g5.xlarge\ninstance_slots: 0').instance_types).toEqual([
      { type: 'g5.xlarge', slots: 0 },
    ])
    expect(
      awsOf('instance_types: [{type: g6.xlarge}, {type: x.y, slots: 3}, {type: g5.12xlarge}]').instance_types,
    ).toEqual([
      { type: 'g6.xlarge', slots: 1 },
      { type: 'x.y', slots: 3 },
      { type: 'g5.12xlarge', slots: 4 },
    ])
  })
})

describe('gcp', () => {
  it('has these defaults', () => {
    expect(gcpOf('')).toMatchObject({
      base_config: {},
      zones: [],
      boot_disk_source_image: 'i',
      boot_disk_size: 200,
      boot_disk_type: 'pd-standard',
      labels: {},
      label_key: 'managed-by',
      network_interface: { network: '', subnetwork: '', external_ip: false },
      network_tags: [],
      service_account: { email: '', scopes: [] },
      instance_type: {
        machine_type: 'n1-standard-32',
        gpu_type: 'nvidia-tesla-t4',
        gpu_num: 4,
        preemptible: false,
      },
      instance_types: [{ type: 'n1-standard-32', slots: 4 }],
      cpu_slots_allowed: false,
      use_cloud_logging: false,
      operation_timeout_period: minutes(5),
    })
  })

  it.each([
    ['machine_type: n1-standard-8', 'nvidia-tesla-t4', 4, 4],
    ['machine_type: n1-standard-8, gpu_num: 0', '', 0, 0],
    ['machine_type: n1-standard-8, gpu_type: ""', '', 0, 0],
    ['machine_type: custom-8-8192, gpu_type: nvidia-tesla-v100, gpu_num: 8', 'nvidia-tesla-v100', 8, 8],
    // As `det deploy gcp` writes auxiliary pools: the GPU type of the other pool, with no GPUs.
    ['machine_type: n1-standard-4, gpu_type: nvidia-tesla-a100, gpu_num: 0', '', 0, 0],
    ['machine_type: n1-standard-4, gpu_type: nvidia-of-tomorrow, gpu_num: 0', '', 0, 0],
    ['machine_type: n2-standard-4, gpu_type: nvidia-l4, gpu_num: 0', '', 0, 0],
    ['machine_type: n2-standard-4', '', 0, 0],
    ['machine_type: n2d-custom-4-8192', '', 0, 0],
    ['machine_type: e2-medium', '', 0, 0],
    ['machine_type: a2-highgpu-4g', '', 0, 4],
    ['machine_type: a2-megagpu-16g', '', 0, 16],
    ['machine_type: a2-highgpu-1g, gpu_type: nvidia-tesla-a100, gpu_num: 1', '', 0, 1],
    ['machine_type: a3-highgpu-8g', '', 0, 8],
    ['machine_type: a4-highgpu-8g', '', 0, 8],
    ['machine_type: g2-standard-24', '', 0, 2],
    ['machine_type: g2-standard-96', '', 0, 8],
    ['machine_type: g4-standard-384', '', 0, 8],
    ['machine_type: g2-standard-5, gpu_type: nvidia-l4, gpu_num: 1', '', 0, 1],
  ])('gives {%s} its GPUs', (keys, gpu_type, gpu_num, slots) => {
    const { instance_type, instance_types } = gcpOf(`instance_type: {${keys}}`)
    expect(instance_type).toMatchObject({ gpu_type, gpu_num })
    expect(instance_types[0]!.slots).toBe(slots)
  })

  it('uses the last part of a URL', () => {
    const url = 'https://www.googleapis.com/compute/v1/projects/p/zones/z'
    const config = gcpOf(
      `instance_type: {machine_type: ${url}/machineTypes/c2-standard-4}\nboot_disk_type: ${url}/diskTypes/pd-ssd`,
    )
    expect(config.instance_types).toEqual([{ type: 'c2-standard-4', slots: 0 }])
    expect(config.boot_disk_type).toBe('pd-ssd')
  })

  it.each([
    ['n1-standard-4', 'pd-standard'],
    ['g2-standard-4', 'pd-balanced'],
    ['c3-standard-4', 'pd-balanced'],
    ['a3-highgpu-8g', 'pd-balanced'],
    ['a3-ultragpu-8g', 'hyperdisk-balanced'],
    ['n4-standard-4', 'hyperdisk-balanced'],
    ['a4-highgpu-8g', 'hyperdisk-balanced'],
  ])('boots %s from %s', (machine, disk) => {
    expect(gcpOf(`instance_type: {machine_type: ${machine}}`).boot_disk_type).toBe(disk)
  })

  it('attaches GPUs of instance_type to the N1 types of a list, and none by default', () => {
    const list = 'instance_types: [{type: a2-highgpu-1g}, {type: n1-standard-8}, {type: e2-standard-4}]'
    expect(gcpOf(list).instance_types.map(({ slots }) => slots)).toEqual([1, 0, 0])
    const withGpus = gcpOf(
      `${list}\ninstance_type: {gpu_type: nvidia-tesla-t4, gpu_num: 2, preemptible: true}`,
    )
    expect(withGpus.instance_types.map(({ slots }) => slots)).toEqual([1, 2, 0])
    expect(withGpus.instance_type).toEqual({
      machine_type: 'a2-highgpu-1g',
      gpu_type: 'nvidia-tesla-t4',
      gpu_num: 2,
      preemptible: true,
    })
  })

  it('needs no image if base_config has a boot disk, and does not change base_config', () => {
    const base =
      '{disks: [{boot: true, initializeParams: {diskSizeGb: "200"}}], shieldedInstanceConfig: {enableVtpm: yes}}'
    expect(read<GcpConfig>(provider('gcp', `base_config: ${base}`))).toMatchObject({
      boot_disk_source_image: '',
      base_config: {
        disks: [{ boot: true, initializeParams: { diskSizeGb: '200' } }],
        shieldedInstanceConfig: { enableVtpm: true },
      },
    })
  })

  it('sets the scope of a service account', () => {
    expect(gcpOf('service_account: {email: a@b}').service_account.scopes).toEqual([
      'https://www.googleapis.com/auth/cloud-platform',
    ])
    expect(gcpOf('service_account: {email: a@b, scopes: [s]}').service_account.scopes).toEqual(['s'])
  })
})

describe('pools', () => {
  it('share a provider through merge keys', () => {
    const { config, problems } = parseConfig(
      `x-common: &common {type: local, max_instances: 7}
resource_pools:
  - {pool_name: a, provider: *common}
  - pool_name: b
    provider: {<<: *common, max_instances: 2}
  - {pool_name: c, agents: any}
`,
      'm.yaml',
    )
    expect(problems).toEqual([])
    expect(config!.resource_pools.map(({ provider }) => provider?.max_instances)).toEqual([7, 2, undefined])
  })
})
