// Launches through the real SDK: the requests that EC2 gets, and the results of its responses.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Offering } from '../../../src/planner/snapshot.ts'
import { awsLaunch } from '../../../src/providers/aws/request.ts'
import type { LaunchResult } from '../../../src/providers/contract.ts'
import { type AwsCloud, awsCloud, bothTypes, userDataOf } from '../../support/aws-cloud.ts'
import { awsConfig, master, offering } from '../../support/cloud-pools.ts'
import { metadataServer } from '../../support/metadata-server.ts'

let cloud: AwsCloud
beforeEach(async () => {
  cloud = await awsCloud()
})
afterEach(() => cloud.dispose())

const one = [offering('g5.xlarge', { zone: 'subnet-a' })]
const spotAndFallback: Offering[] = [
  ...bothTypes.map((each): Offering => ({ ...each, capacityType: 'spot' })),
  ...one,
]
const spot = { enabled: true, fallback: 'on_demand' } as const

const vms = () => [...cloud.ec2.world.vms.values()]
const classes = ({ failures }: LaunchResult) => failures.map((failure) => failure.class)

describe('the request to EC2', () => {
  it('contains the user data byte for byte, and every tag', async () => {
    const provider = await cloud.open({ custom_tags: [{ key: 'größe <&>', value: 'a=b&c "d"' }] })
    const order = cloud.order(1, one)
    order.userData = userDataOf('#!/bin/bash\necho "ä $(date) `id` {{x}} + %2B"\n')
    await provider.launch(order)
    const [vm] = vms()
    expect(vm!.userData.toString()).toBe(order.userData.script)
    expect(vm!.tags).toEqual({
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

  it("contains the tag of Determined's provisioner: the instance id of a master that is on EC2", async () => {
    const off = await cloud.open({ tag_value: undefined })
    await off.launch(cloud.order(1, one))
    const metadata = await metadataServer({ 'instance-id': 'i-0master' })
    Object.assign(cloud.env, metadata.env, { AWS_EC2_METADATA_DISABLED: 'false' })
    const on = await cloud.open({ tag_value: undefined })
    await on.launch(cloud.order(1, one))
    await on.launch(cloud.order(1, one))
    expect(vms().map(({ tags }) => tags['managed_by'])).toEqual([
      'determined-ai-determined',
      'i-0master',
      'i-0master',
    ])
    expect(metadata.calls).toHaveLength(2)
    await metadata.close()
  })

  it('contains packed user data unchanged, also through a fleet', async () => {
    const bytes = Uint8Array.from({ length: 4000 }, (_, index) => (index * 7919) % 256)
    const order = cloud.order(2)
    order.userData = { ...userDataOf(''), encoding: 'gzip', packed: bytes }
    await (await cloud.open()).launch(order)
    for (const vm of vms()) expect(Buffer.compare(vm.userData, bytes)).toBe(0)
  })

  it('is the same as in a dry run, with the placeholders filled in', async () => {
    const provider = await cloud.open()
    const order = cloud.order(3, one)
    await provider.launch(order)
    const input = { config: awsConfig({ image: { id: 'ami-2' } }), owner: cloud.owner, setup: { master } }
    const shown = awsLaunch({ ...input, intent: order.intent })
    const text = JSON.stringify(shown.steps[0]!.request)
      .replace('<root device of the image>', '/dev/xvda')
      .replace('<user data, base64>', Buffer.from(order.userData.packed).toString('base64'))
    const sent = cloud.ec2.calls.find(({ action }) => action === 'RunInstances')!
    expect(leaves(sent.params).sort()).toEqual(leaves(JSON.parse(text)).sort())
  })

  it('is two calls for a thousand VMs', async () => {
    const result = await (await cloud.open()).launch(cloud.order(1000, one))
    expect(result.instances).toHaveLength(1000)
    expect(cloud.ec2.calls.map(({ action }) => action)).toEqual([
      'DescribeImages',
      'RunInstances',
      'RunInstances',
    ])
  })
})

describe('the image', () => {
  it.each([
    ['an id', { id: 'ami-1' }, 'ami-1', '/dev/sda1'],
    ['an SSM parameter', { ssm: '/agent/image' }, 'ami-2', '/dev/xvda'],
    ['the newest of an owner', { owner: 'self', name: 'agent-*' }, 'ami-2', '/dev/xvda'],
  ])('by %s, with its own root device', async (_, image, id, device) => {
    await (await cloud.open({ image })).launch(cloud.order(1, one))
    expect(vms()[0]!.imageId).toBe(id)
    expect(vms()[0]!.made['BlockDeviceMapping']).toMatchObject({ 1: { DeviceName: device } })
    expect(cloud.ec2.world.templates.size).toBe(0)
  })

  it('is queried once, also by launches at the same time, and again after ten minutes', async () => {
    const provider = await cloud.open({ image: { ssm: '/agent/image' } })
    await Promise.all([provider.launch(cloud.order(1, one)), provider.launch(cloud.order(1, one))])
    expect(cloud.ec2.count('DescribeImages')).toBe(1)
    cloud.ec2.world.parameters['/agent/image'] = 'ami-1'
    cloud.clock.now = () => Date.now() + 601_000
    await provider.launch(cloud.order(1, one))
    expect(vms().map(({ imageId }) => imageId)).toEqual(['ami-2', 'ami-2', 'ami-1'])
  })

  it.each([
    ['an id', { id: 'ami-9' }],
    ['an SSM parameter', { ssm: '/nothing' }],
    ['an owner and a name', { owner: 'self', name: 'nothing-*' }],
  ])('that is not there by %s is a mistake in the configuration', async (_, image) => {
    const result = await (await cloud.open({ image })).launch(cloud.order(2, one))
    expect(result).toMatchObject({ instances: [], failures: [{ class: 'config', missing: 2 }] })
    expect(cloud.ec2.count('RunInstances')).toBe(0)
  })
})

describe('when capacity is missing', () => {
  it('fewer VMs than requested, without an error, are not a refusal', async () => {
    cloud.ec2.world.stock.set('on_demand/g5.xlarge/subnet-a', 2)
    const result = await (await cloud.open()).launch(cloud.order(5, one))
    expect(result.instances).toHaveLength(2)
    expect(result.failures).toEqual([])
  })

  it('insufficient capacity names the offering, and is requested only once', async () => {
    cloud.ec2.world.stock.set('on_demand/g5.xlarge/subnet-a', 0)
    const result = await (await cloud.open()).launch(cloud.order(5, one))
    expect(result).toMatchObject({
      instances: [],
      failures: [{ class: 'capacity', offering: one[0], missing: 5 }],
    })
    expect(cloud.ec2.count('RunInstances')).toBe(1)
  })

  it('the remaining VMs are launched on demand after spot', async () => {
    cloud.ec2.world.stock.set('spot/g5.12xlarge/subnet-a', 1)
    cloud.ec2.world.stock.set('spot/g4dn.12xlarge/subnet-a', 1)
    const result = await (await cloud.open({ spot })).launch(cloud.order(5, spotAndFallback))
    expect(result.instances.map(({ capacityType }) => capacityType).sort()).toEqual([
      'on_demand',
      'on_demand',
      'on_demand',
      'spot',
      'spot',
    ])
    expect(classes(result)).toEqual(['capacity', 'capacity'])
    expect(result.failures.every(({ missing }) => missing === 0)).toBe(true)
  })

  it.each([
    ['a maximum price too low', { ...spot, max_price: '0.1' }, {}, 'capacity'],
    ['the spot quota', spot, { spot: 0 }, 'quota'],
  ])('%s falls back as well', async (_, config, quota, expected) => {
    cloud.ec2.world.quota = quota
    const result = await (await cloud.open({ spot: config })).launch(cloud.order(2, spotAndFallback))
    expect(result.instances.map(({ capacityType }) => capacityType)).toEqual(['on_demand', 'on_demand'])
    expect(new Set(classes(result))).toEqual(new Set([expected]))
  })

  it('nothing is launched on demand when the outcome of the spot call is unknown', async () => {
    cloud.ec2.faults.push({ action: 'CreateFleet', kind: 'html' })
    const result = await (await cloud.open({ spot })).launch(cloud.order(2, spotAndFallback))
    expect(result).toMatchObject({ instances: [], failures: [{ class: 'transient', missing: 2 }] })
    expect(cloud.ec2.count('RunInstances')).toBe(0)
  })

  it('a quota error names the quota to raise', async () => {
    cloud.ec2.world.quota = { on_demand: 0 }
    const { failures } = await (await cloud.open()).launch(cloud.order(1, one))
    expect(failures).toMatchObject([{ class: 'quota', problem: { code: 'PROVIDER_QUOTA' } }])
    expect(failures[0]!.problem.remedy).toContain('Running On-Demand')
  })

  it('a full subnet of two: the other one is used, in one call', async () => {
    cloud.ec2.world.stock.set('on_demand/g5.xlarge/subnet-a', 0)
    const zones = ['subnet-a', 'subnet-b'].map((zone) => offering('g5.xlarge', { zone }))
    const result = await (await cloud.open()).launch(cloud.order(3, zones))
    expect(result.instances.map(({ zone }) => zone)).toEqual(['us-west-2b', 'us-west-2b', 'us-west-2b'])
    expect(result.failures).toMatchObject([{ class: 'capacity', offering: zones[0], missing: 0 }])
    expect(cloud.ec2.count('CreateFleet')).toBe(1)
  })
})

function leaves(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [String(value)]
}
