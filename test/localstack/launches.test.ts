// What arrives at an EC2 that is not our own fake: user data, tags, pages, spot, fleets, terminations, and the results
// of a check.
import {
  DescribeImagesCommand,
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  DescribeLaunchTemplatesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSpotInstanceRequestsCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
} from '@aws-sdk/client-ec2'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CapacityType, Instance } from '../../src/planner/snapshot.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { limit } from '../../src/platform/limit.ts'
import { check } from '../../src/providers/aws/check.ts'
import { userDataOf } from '../support/aws-cloud.ts'
import { master } from '../support/cloud-pools.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { type LocalStackCloud, localStackCloud } from './cloud.ts'

let cloud: LocalStackCloud
beforeEach(async () => {
  cloud = await localStackCloud()
})
afterEach(() => cloud.dispose())

const idsOf = (instances: { id: string }[]) => instances.map(({ id }) => id).sort()
const bought = (capacityType: CapacityType) => cloud.offerings.map((each) => ({ ...each, capacityType }))

async function userDataAt(id: string): Promise<Buffer> {
  const request = { InstanceId: id, Attribute: 'userData' } as const
  const { UserData } = await cloud.ec2.send(new DescribeInstanceAttributeCommand(request))
  return Buffer.from(UserData!.Value!, 'base64')
}

describe.each([
  ['RunInstances', () => cloud.offerings.slice(0, 1)],
  ['a fleet', () => bought('on_demand')],
  ['a spot fleet', () => bought('spot')],
])('a launch by %s', (_, offerings) => {
  it('passes user data to VMs byte for byte', async () => {
    const order = cloud.order(1, offerings())
    order.userData = userDataOf('#!/bin/bash\necho "ä $(date) `id` {{x}} + %2B &amp;"\n')
    const plain = await (await cloud.open()).launch(order)
    expect((await userDataAt(plain.instances[0]!.id)).toString()).toBe(order.userData.script)

    const packed = Uint8Array.from({ length: 16_384 }, (_, index) => (index * 7919) % 256)
    const more = cloud.order(1, offerings())
    more.userData = { ...more.userData, encoding: 'gzip', packed }
    const other = await (await cloud.open()).launch(more)
    expect((await userDataAt(other.instances[0]!.id)).equals(packed)).toBe(true)
  })

  it('tags everything that it creates', async () => {
    const provider = await cloud.open({ custom_tags: [{ key: 'größe <&>', value: 'a=b&c "d"' }] })
    const order = cloud.order(1, offerings())
    const [{ id }] = (await provider.launch(order)).instances as [Instance]
    expect(await tagsOf(id)).toEqual({
      Name: 'determined-ai-agent',
      managed_by: 'determined-ai-determined',
      'determined-resource-pool': 'GPU pool *',
      'determined-master-address': 'https://master.example.com:8443',
      'agent-provisioner:cluster': cloud.owner.clusterId,
      'agent-provisioner:pool': 'GPU pool *',
      'agent-provisioner:writer': cloud.owner.writerId,
      'agent-provisioner:intent': order.intent.id,
      'größe <&>': 'a=b&c "d"',
    })
  })
})

async function tagsOf(id: string): Promise<Record<string, string>> {
  const Filters = [{ Name: 'resource-id', Values: [id] }]
  const { Tags = [] } = await cloud.ec2.send(new DescribeTagsCommand({ Filters }))
  return Object.fromEntries(Tags.map(({ Key, Value }) => [Key!, Value!]))
}

describe('RunInstances', () => {
  it('requests the disk, the metadata service and the shutdown behaviour of the pool', async () => {
    const volume = { type: 'gp3' as const, size: 321, encrypted: true, iops: 4000 }
    const [{ id }] = (
      await (await cloud.open({ volume })).launch(cloud.order(1, cloud.offerings.slice(0, 1)))
    ).instances as [Instance]
    const { Reservations } = await cloud.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
    const vm = Reservations![0]!.Instances![0]!
    expect(vm.MetadataOptions).toMatchObject({ HttpTokens: 'required', HttpPutResponseHopLimit: 1 })
    expect(vm.ImageId).toBe(cloud.image)
    expect(vm.SubnetId).toBe(cloud.subnets[0])
    const [disk] = vm.BlockDeviceMappings!
    const { Images } = await cloud.ec2.send(new DescribeImagesCommand({ ImageIds: [cloud.image] }))
    expect(disk!.DeviceName).toBe(Images![0]!.RootDeviceName)
    const request = { VolumeIds: [disk!.Ebs!.VolumeId!] }
    const { Volumes } = await cloud.ec2.send(new DescribeVolumesCommand(request))
    expect(Volumes![0]).toMatchObject({ Size: 321, VolumeType: 'gp3', Encrypted: true })
    expect(await tagsOf(disk!.Ebs!.VolumeId!)).toMatchObject({ 'agent-provisioner:pool': 'GPU pool *' })
    const Attribute = 'instanceInitiatedShutdownBehavior'
    const shutdown = await cloud.ec2.send(new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute }))
    expect(shutdown.InstanceInitiatedShutdownBehavior?.Value).toBe('terminate')
  })
})

describe('a fleet', () => {
  it('of spot VMs creates spot requests with our tags', async () => {
    const { instances } = await (await cloud.open()).launch(cloud.order(2, bought('spot')))
    expect(instances.map(({ capacityType }) => capacityType)).toEqual(['spot', 'spot'])
    const Filters = [{ Name: 'tag:agent-provisioner:cluster', Values: [cloud.owner.clusterId] }]
    const found = await cloud.ec2.send(new DescribeSpotInstanceRequestsCommand({ Filters }))
    expect(idsOf(instances)).toEqual(found.SpotInstanceRequests!.map(({ InstanceId }) => InstanceId).sort())
  })

  it('reuses the launch template of the previous one', async () => {
    const provider = await cloud.open()
    await provider.launch(cloud.order(1))
    await (await cloud.open()).launch(cloud.order(1))
    const Filters = [{ Name: 'tag:agent-provisioner:cluster', Values: [cloud.owner.clusterId] }]
    const found = await cloud.ec2.send(new DescribeLaunchTemplatesCommand({ Filters }))
    expect(found.LaunchTemplates).toHaveLength(1)
  })
})

describe('more VMs than fit on a page', () => {
  it('are all listed and terminated, together with an id that never existed', async () => {
    const provider = await cloud.open()
    // Pages consist of reservations here, and each launch of one VM creates one.
    const inTurn = limit(8)
    const orders = Array.from({ length: 105 }, () => cloud.order(1, cloud.offerings.slice(0, 1)))
    const results = await Promise.all(orders.map((order) => inTurn(() => provider.launch(order))))
    const instances = results.flatMap((result) => result.instances)
    expect(instances).toHaveLength(105)
    const first = await cloud.ec2.send(new DescribeInstancesCommand({ MaxResults: 100 }))
    expect(first.NextToken).toBeTruthy()
    expect(idsOf((await provider.list()).instances)).toEqual(idsOf(instances))

    const all = [...idsOf(instances), 'i-0123456789abcdef0']
    const result = await provider.terminate(all)
    expect(result.failures).toEqual([])
    expect(result.terminated.sort()).toEqual(all.sort())
    const left = (await provider.list()).instances.filter(({ state }) => state !== 'terminated')
    expect(left).toEqual([])
  })
})

describe('a check', () => {
  it('finds what exists, and names what does not', async () => {
    const { SecurityGroups } = await cloud.ec2.send(new DescribeSecurityGroupsCommand({}))
    const security_group_id = SecurityGroups![0]!.GroupId!
    const config = cloud.config({
      instance_types: cloud.offerings.map(({ instanceType: type, slots }) => ({ type, slots })),
      subnet_ids: [...cloud.subnets, 'subnet-0123456789abcdef0'],
      network_interface: { public_ip: false, subnet_id: '', security_group_id },
      ssh_key_name: 'gone',
    })
    const { owner, env } = cloud
    const context = { config, owner, master, stateDir: '/nowhere', env, clock: systemClock }
    const items = await check({ ...context, logger: silentLogger }, cloud.offerings)
    expect(items.flatMap(({ problem }) => (problem ? [problem.details?.['code']] : []))).toEqual([
      'InvalidSubnetID.NotFound',
      'InvalidKeyPair.NotFound',
    ])
    expect((await (await cloud.open()).list()).instances).toEqual([])
  })
})
