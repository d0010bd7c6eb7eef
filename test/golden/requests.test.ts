// Complete launch requests, in readable files beside their inputs (`npx vitest run test/golden/requests.test.ts -u` rewrites them).
import { describe, expect, it } from 'vitest'
import { buildRequest as buildAws } from '../../src/providers/aws/request.ts'
import { buildRequest as buildGcp } from '../../src/providers/gcp/request.ts'
import { awsConfig, gcpConfig, intentOf, master, offering, owner } from '../support/cloud-pools.ts'
import { readableJson } from '../support/readable-json.ts'

const setup = { master }

const awsFullConfig = awsConfig({
  region: undefined,
  image: {
    ssm: '/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id',
  },
  tag_value: undefined,
  volume: { type: 'gp3', size: 500, encrypted: true, iops: 6000, throughput: 500 },
  ssh_key_name: 'ops',
  iam_instance_profile_arn: 'arn:aws:iam::123456789012:instance-profile/agent',
  network_interface: { public_ip: false, subnet_id: '', security_group_id: 'sg-0aa' },
  subnet_ids: ['subnet-0a', 'subnet-0b'],
  metadata_hop_limit: 2,
  instance_types: [
    { type: 'g5.12xlarge', slots: 4 },
    { type: 'g4dn.12xlarge', slots: 4 },
  ],
  spot: { enabled: true, max_price: '2.50', fallback: 'on_demand' },
  custom_tags: [{ key: 'team', value: 'research' }],
})

const awsTraining = awsConfig({
  volume: { type: 'gp3', size: 500, encrypted: false, kms_key_id: 'alias/agents' },
  network_interface: {
    public_ip: false,
    subnet_id: '',
    security_group_id: '',
    security_group_ids: ['sg-0aa', 'sg-0bb'],
    efa: true,
    ipv6: true,
  },
  subnet_ids: ['subnet-0a'],
  instance_types: [{ type: 'p4d.24xlarge', slots: 8 }],
  spot: { enabled: true, fallback: 'none' },
  placement_group: 'training',
  tenancy: 'dedicated',
  capacity: { block: 'cr-0123456789abcdef0', only: false },
  base_config: {
    CpuOptions: { ThreadsPerCore: 1 },
    BlockDeviceMappings: [{ DeviceName: '/dev/sdb', Ebs: { VolumeSize: 1000, VolumeType: 'gp3' } }],
  },
})

const trainingOfferings = (['reserved', 'spot'] as const).map((capacityType) =>
  offering('p4d.24xlarge', { zone: 'subnet-0a', capacityType, slots: 8 }),
)

const awsOfferings = (['spot', 'on_demand'] as const).flatMap((capacityType) =>
  ['g5.12xlarge', 'g4dn.12xlarge'].flatMap((type) =>
    ['subnet-0a', 'subnet-0b'].map((zone) => offering(type, { zone, capacityType, slots: 4 })),
  ),
)

const gcpFullConfig = gcpConfig({
  project: undefined,
  zone: undefined,
  zones: ['us-central1-a', 'us-central1-b'],
  label_value: undefined,
  name_prefix: undefined,
  labels: { team: 'research' },
  network_interface: { network: 'agents', subnetwork: 'agents-1', external_ip: true },
  network_tags: ['det-agent'],
  service_account: {
    email: 'agent@my-project.iam.gserviceaccount.com',
    scopes: ['https://www.googleapis.com/auth/cloud-platform'],
  },
  spot: { enabled: true, fallback: 'on_demand' },
  base_config: {
    minCpuPlatform: 'Intel Skylake',
    labels: { cost: 'ml' },
    disks: [{ interface: 'NVME', autoDelete: true, type: 'SCRATCH' }],
    scheduling: { maxRunDuration: { seconds: '86400' } },
    metadata: { items: [{ key: 'enable-oslogin', value: 'TRUE' }] },
    tags: { items: ['base-tag'] },
  },
})

const gcpOfferings = (['spot', 'on_demand'] as const).flatMap((capacityType) =>
  ['us-central1-a', 'us-central1-b'].map((zone) => offering('n1-standard-8', { zone, capacityType })),
)

const cases = {
  'aws-one-offering': () =>
    buildAws({ config: awsConfig(), owner, setup, intent: intentOf([offering('g5.xlarge')]) }),
  'aws-spot-with-fallback': () =>
    buildAws({ config: awsFullConfig, owner, setup, intent: intentOf(awsOfferings) }),
  'aws-training-in-a-block': () =>
    buildAws({ config: awsTraining, owner, setup, intent: intentOf(trainingOfferings) }),
  'aws-gang-in-a-placement-group': () =>
    buildAws({
      config: awsConfig({
        placement_group: 'per_gang',
        spot: { enabled: true, fallback: 'on_demand', max_price: '9.50' },
      }),
      owner,
      setup,
      intent: {
        ...intentOf(
          (['spot', 'on_demand'] as const).map((capacityType) =>
            offering('g5.48xlarge', { zone: 'subnet-0a', capacityType, slots: 8 }),
          ),
          4,
        ),
        gang: true,
      },
    }),
  'gcp-one-zone': () =>
    buildGcp({ config: gcpConfig(), owner, setup, intent: intentOf([offering('n1-standard-8')]) }),
  'gcp-spot-with-fallback': () =>
    buildGcp({ config: gcpFullConfig, owner, setup, intent: intentOf(gcpOfferings) }),
  'gcp-a2-and-g2': () =>
    buildGcp({
      config: gcpConfig({ instance_types: [] }),
      owner: { ...owner, pool: 'GPU pool 1.5' },
      setup,
      intent: intentOf([offering('a2-highgpu-1g'), offering('g2-standard-8')], 1),
    }),
}

describe('launch requests', () => {
  it.each(Object.entries(cases))('%s', async (name, build) => {
    await expect(`${readableJson(build())}\n`).toMatchFileSnapshot(`requests/${name}.json`)
  })

  it('are the same bytes each time', () => {
    for (const build of Object.values(cases)) expect(JSON.stringify(build())).toBe(JSON.stringify(build()))
  })
})
