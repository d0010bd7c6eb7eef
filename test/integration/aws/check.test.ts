// `provision check` on EC2: everything that a launch needs is checked, every problem is reported at once, nothing is
// launched.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import { check } from '../../../src/providers/aws/check.ts'
import type { AwsConfig } from '../../../src/providers/aws/rules.ts'
import { type AwsCloud, awsCloud, bothTypes } from '../../support/aws-cloud.ts'
import { awsConfig, master, offering } from '../../support/cloud-pools.ts'
import { tagKinds } from '../../support/fake-ec2/launches.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let cloud: AwsCloud
beforeEach(async () => {
  cloud = await awsCloud()
})
afterEach(() => cloud.dispose())

const good: Partial<AwsConfig> = {
  image: { ssm: '/agent/image' },
  instance_types: [
    { type: 'g5.12xlarge', slots: 4 },
    { type: 'g4dn.12xlarge', slots: 4 },
  ],
  subnet_ids: ['subnet-a', 'subnet-b'],
  network_interface: { public_ip: false, subnet_id: '', security_group_id: 'sg-1' },
  ssh_key_name: 'ops',
}

async function checked(more: Partial<AwsConfig> = {}, offerings = bothTypes, signal?: AbortSignal) {
  const config = awsConfig({ ...good, ...more })
  const context = { config, owner: cloud.owner, master, stateDir: '/nowhere', env: {}, clock: cloud.clock }
  const items = await check({ ...context, logger: silentLogger }, offerings, signal)
  return {
    items,
    faults: items.flatMap((item) => (item.problem ? [`${item.what}: ${item.problem.message}`] : [])),
  }
}

describe('checking a pool', () => {
  it('reports no problem if there is none, and launches nothing', async () => {
    const { items, faults } = await checked()
    expect(faults).toEqual([])
    expect(items.map(({ what }) => what)).toEqual([
      'region us-west-2',
      'machine image',
      'instance type g5.12xlarge',
      'instance type g4dn.12xlarge',
      'subnet subnet-a',
      'subnet subnet-b',
      'instance types in us-west-2a, us-west-2b',
      'security group sg-1',
      'key pair ops',
      'vCPU quotas',
      'ec2:DescribeInstances to list instances',
      'ec2:DescribeInstanceTypes to know the slots of a type',
      'ec2:DescribeLaunchTemplates to delete outdated launch templates',
      'ec2:TerminateInstances to terminate instances',
      'ec2:GetConsoleOutput to read the boot stage of an instance that did not join',
      'ec2:RunInstances to launch instances of one offering, and those of fleets',
      'ec2:CreateLaunchTemplate to launch through a fleet',
      'ec2:CreateFleet to launch instances of several offerings, and spot instances',
      'ec2:DeleteLaunchTemplate to delete outdated launch templates',
    ])
    expect(cloud.ec2.world.vms.size + cloud.ec2.world.templates.size).toBe(0)
  })

  it('tries the calls that the pool will make', async () => {
    const { items } = await checked({}, [offering('g5.12xlarge', { zone: 'subnet-a' })])
    expect(items.map(({ what }) => what)).toContain(
      'ec2:RunInstances to launch instances of one offering, and those of fleets',
    )
    expect(items.map(({ what }) => what).join()).not.toContain('CreateFleet')
  })

  it('reports all problems at once', async () => {
    const { world } = cloud.ec2
    world.freeAddresses['subnet-b'] = 0
    world.notOffered.add('g4dn.12xlarge us-west-2a')
    world.denied.add('TerminateInstances').add('CreateFleet')
    const { faults } = await checked({
      instance_types: [
        { type: 'g5.12xlarge', slots: 8 },
        { type: 'g4dn.12xlarge', slots: 4 },
        { type: 'g9.huge', slots: 1 },
      ],
      subnet_ids: ['subnet-a', 'subnet-b', 'subnet-c'],
      network_interface: { public_ip: false, subnet_id: '', security_group_id: 'sg-2' },
      ssh_key_name: 'gone',
    })
    expect(faults).toEqual([
      'instance type g5.12xlarge: g5.12xlarge has 4 slots, but the pool is configured with 8',
      'instance type g9.huge: instance type g9.huge does not exist in this region',
      'subnet subnet-b: subnet subnet-b has no free address',
      expect.stringContaining('subnet subnet-c: could not find subnet subnet-c: InvalidSubnetID.NotFound'),
      'zones for g4dn.12xlarge: us-west-2a does not offer g4dn.12xlarge',
      'zones for g9.huge: us-west-2a, us-west-2b do not offer g9.huge',
      'security group sg-2: security group sg-2 is in vpc-2, but subnets are in vpc-1',
      expect.stringContaining('key pair gone: could not find key pair gone: InvalidKeyPair.NotFound'),
      'ec2:TerminateInstances to terminate instances: cannot determine whether ec2:TerminateInstances is allowed for managed instances and launch templates',
      expect.stringContaining('ec2:CreateFleet'),
    ])
  })

  it('looks for the placement group, and for a security group that is open to itself where EFA needs one', async () => {
    const { world } = cloud.ec2
    world.types['g5.48xlarge'] = { gpus: 8 }
    const efa = {
      instance_types: [{ type: 'g5.48xlarge', slots: 8 }],
      network_interface: {
        public_ip: false,
        subnet_id: '',
        security_group_id: '',
        security_group_ids: ['sg-1'],
        efa: true,
      },
    }
    const offerings = [offering('g5.48xlarge', { zone: 'subnet-a' })]
    const { faults } = await checked({ ...efa, placement_group: 'apart' }, offerings)
    expect(faults).toEqual([
      'security groups for EFA: no security group of the pool allows all traffic from itself and to itself, which EFA needs',
      expect.stringMatching(/^placement group apart: .*InvalidPlacementGroup\.Unknown/),
    ])
    world.groupsForEfa.add('sg-1')
    const volume = { type: 'gp3', size: 200, encrypted: false, kms_key_id: 'alias/agents' } as const
    const { faults: none, items } = await checked({ ...efa, placement_group: 'together', volume }, offerings)
    expect(none).toEqual([])
    expect(items.map(({ what }) => what)).toEqual(
      expect.arrayContaining(['security group sg-1', 'placement group together', 'KMS key alias/agents']),
    )
  })

  it('with a placement group for each gang, tries to make and to delete one, and looks whether the types fit in', async () => {
    const { world } = cloud.ec2
    const { faults, items } = await checked({ placement_group: 'per_gang' })
    expect(faults).toEqual([])
    expect(items.map(({ what }) => what)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^ec2:CreatePlacementGroup /),
        expect.stringMatching(/^ec2:DeletePlacementGroup /),
        expect.stringMatching(/^ec2:DescribePlacementGroups /),
      ]),
    )
    expect([...world.placementGroups.keys()]).toEqual(['together'])
    world.types['g5.12xlarge'] = { gpus: 4, clusterGroups: false }
    world.denied.add('CreatePlacementGroup').add('DeletePlacementGroup')
    const { faults: found } = await checked({ placement_group: 'per_gang' })
    expect(found).toEqual([
      'placement groups for g5.12xlarge: a cluster placement group cannot hold g5.12xlarge, but placement_group is per_gang',
      expect.stringMatching(/^ec2:CreatePlacementGroup .*UnauthorizedOperation/),
      expect.stringMatching(/^ec2:DeletePlacementGroup .*cannot determine whether/),
    ])
  })

  it('tries the machine of a fleet with its profile and its capacity type', async () => {
    const spot = bothTypes.map((each) => ({ ...each, capacityType: 'spot' as const }))
    const { faults } = await checked(
      { iam_instance_profile_arn: 'arn:aws:iam::1:instance-profile/gone' },
      spot,
    )
    expect(faults).toEqual([expect.stringContaining('parameter iamInstanceProfile.arn is invalid')])
    const { params } = cloud.ec2.calls.find(({ action }) => action === 'RunInstances')!
    expect(params).toMatchObject({ InstanceMarketOptions: { MarketType: 'spot' }, MaxCount: '1' })
    expect(tagKinds(params)).toEqual(['instance', 'volume', 'network-interface', 'spot-instances-request'])
  })

  it('tries spot and its fallback separately', async () => {
    const spot = bothTypes.map((each) => ({ ...each, capacityType: 'spot' as const }))
    const { items } = await checked({}, [...spot, ...bothTypes])
    const tried = items.flatMap(({ what }) => (what.startsWith('ec2:RunInstances') ? what : []))
    expect(tried).toEqual([
      'ec2:RunInstances to launch spot instances',
      'ec2:RunInstances to launch instances of one offering, and those of fleets',
    ])
  })

  it('does not mistake a policy limited to our VMs for one that forbids to terminate them', async () => {
    cloud.ec2.world.denied.add('GetConsoleOutput').add('DeleteLaunchTemplate')
    const { items } = await checked()
    const found = items.flatMap(({ problem }) => problem ?? [])
    expect(found.map(({ code, severity }) => [code, severity])).toEqual([
      ['PROVIDER_PERMISSION_UNKNOWN', 'warning'],
      ['PROVIDER_PERMISSION_UNKNOWN', 'warning'],
    ])
  })

  it.each([
    ['x86_64', ['m7g.large'], ['image ami-2 is for x86_64, but m7g.large runs arm64']],
    ['arm64', ['m7g.large', 'm5.large'], ['image ami-2 is for arm64, but m5.large runs x86_64']],
    ['x86_64', ['m5.large', 'g5.xlarge'], []],
    ['arm64', ['m7g.large'], []],
  ])(
    'compares the architecture of an image for %s with that of %s',
    async (architecture, types, expected) => {
      const { world } = cloud.ec2
      world.images.find(({ id }) => id === 'ami-2')!.architecture = architecture
      const slots = (type: string) => world.types[type]!.gpus ?? 0
      const { items } = await checked({
        instance_types: types.map((type) => ({ type, slots: slots(type) })),
      })
      const told = items.flatMap(({ what, problem }) => (what.startsWith('image for') ? problem : []))
      expect(told.map((problem) => problem?.message)).toEqual(expected)
      for (const problem of told) expect(problem).toMatchObject({ severity: 'error' })
    },
  )

  it.each(['DescribeInstanceTypes', 'DescribeSubnets', 'TerminateInstances', 'RunInstances'])(
    'reports the other results when %s gets no response in time',
    async (action) => {
      cloud.ec2.faults.push({ action, kind: 'hang' })
      const late = new ProvisionError(problem('PROVIDER_TRANSIENT', 'no answer in time'))
      const stop = new AbortController()
      const checking = checked({}, bothTypes, stop.signal)
      await expect.poll(() => cloud.ec2.count(action)).toBeGreaterThan(0)
      await new Promise((resolve) => setTimeout(resolve, 300))
      stop.abort(late)
      const { items } = await checking
      const fine = items.flatMap((item) => (item.problem ? [] : item.what))
      expect(fine).toEqual(expect.arrayContaining(['machine image', 'key pair ops']))
      const told = items.flatMap((item) => item.problem ?? [])
      expect(new Set(told.map(({ message }) => message))).toEqual(new Set(['no answer in time']))
    },
  )

  it('continues without an image, except for the launch itself', async () => {
    const { items, faults } = await checked({ image: { ssm: '/nothing' } })
    expect(faults).toEqual([expect.stringContaining('machine image')])
    expect(items.map(({ what }) => what)).toContain('key pair ops')
  })

  it('without credentials reports that once, and calls nothing else', async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, undefined)
    for (const name of ['AWS_SHARED_CREDENTIALS_FILE', 'AWS_CONFIG_FILE']) vi.stubEnv(name, '/nonexistent')
    const { items } = await checked()
    expect(items.map(({ what, problem }) => [what, problem?.code])).toEqual([
      ['region us-west-2', undefined],
      ['credentials', 'PROVIDER_AUTH'],
    ])
  })
})
